#include <manta/manta.hpp>

struct Counter {
  int count = 0;
  int Count() const { return count; }
};

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const manta::ActorHandle<Counter>& counter) { counter.Task(&Counter::count).Remote(); }
#else
void Right(const manta::ActorHandle<Counter>& counter) { counter.Task(&Counter::Count).Remote(); }
#endif
