#include "core/scheduling/policies/labels.hpp"

#include <algorithm>

namespace manta::scheduling {

bool Meets(const Labels& labels, const wire::LabelRule& rule) {
  const auto found = labels.find(rule.key);
  const bool listed = found != labels.end() &&
                      std::find(rule.values.begin(), rule.values.end(), found->second) != rule.values.end();
  switch (rule.op) {
    case wire::LabelOp::kIn: return listed;
    case wire::LabelOp::kNotIn: return !listed;
    case wire::LabelOp::kExists: return found != labels.end();
    case wire::LabelOp::kDoesNotExist: return found == labels.end();
  }
  return false;
}

bool MeetsAll(const Labels& labels, const std::vector<wire::LabelRule>& rules) {
  return std::all_of(rules.begin(), rules.end(), [&](const wire::LabelRule& rule) { return Meets(labels, rule); });
}

std::string Describe(const wire::LabelRule& rule) {
  const auto values = [&] {
    std::string text = "(";
    for (const std::string& value : rule.values) text += (text.size() == 1 ? "" : ", ") + value;
    return text + ")";
  };
  switch (rule.op) {
    case wire::LabelOp::kIn: return rule.key + " in " + values();
    case wire::LabelOp::kNotIn: return rule.key + " not in " + values();
    case wire::LabelOp::kExists: return rule.key + " exists";
    case wire::LabelOp::kDoesNotExist: return rule.key + " does not exist";
  }
  return rule.key;
}

}  // namespace manta::scheduling
