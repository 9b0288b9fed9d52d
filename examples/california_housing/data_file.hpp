#pragma once

#include <string>

namespace housing {

/// Where california_housing.csv is: beside the program if it was copied there, else in the folder it was built from.
/// When neither has it, the latter, so that reading it says what is missing.
std::string FindDataFile();

}  // namespace housing
