#pragma once

#include <string>
#include <string_view>

namespace pipeline {

/// Empty where `text` is well-formed XML of what our pictures have: one root element, elements, attributes, text and
/// the predefined entities (no comments, declarations or CDATA). Else what is wrong, and where.
std::string WhyNotWellFormed(std::string_view text);

}  // namespace pipeline
