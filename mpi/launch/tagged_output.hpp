#pragma once
// `--manta-tag-output`: every line of stdout begins with the rank and the task that wrote it, as in "[r3 Score] ".

namespace manta::launch {

/// Puts a stream that tags in the place of stdout and of std::cout's buffer, for the rest of the process. Lines are
/// written whole. A line that several writes make up bears the tag of the task that ended it. (Writes to file
/// descriptor 1 pass it by.)
void TagStandardOutput(int rank);

}  // namespace manta::launch
