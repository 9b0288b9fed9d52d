// At any depth.
#include <manta/manta.hpp>

struct Handle {
  void* device;
};

#ifndef MANTA_POSITIVE_CONTROL
int Count(const std::map<std::string, std::optional<Handle>>& handles);
void Wrong(const std::map<std::string, std::optional<Handle>>& handles) { manta::Task(Count).Remote(handles); }
#else
int Count(const std::map<std::string, std::optional<int>>& handles);
void Right(const std::map<std::string, std::optional<int>>& handles) { manta::Task(Count).Remote(handles); }
#endif
