#pragma once
// Labels of nodes, and rules on them.

#include <map>
#include <string>
#include <vector>

#include "core/wire/request_messages.hpp"

namespace manta::scheduling {

using Labels = std::map<std::string, std::string>;

bool Meets(const Labels& labels, const wire::LabelRule& rule);
bool MeetsAll(const Labels& labels, const std::vector<wire::LabelRule>& rules);
/// "zone in (east, west)", "gpu-type exists".
std::string Describe(const wire::LabelRule& rule);

}  // namespace manta::scheduling
