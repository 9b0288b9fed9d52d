#include <manta/manta.hpp>

struct Counter {
  int Add(int k);
};

#ifndef MANTA_POSITIVE_CONTROL
void Wrong(const manta::ActorHandle<Counter>& counter) { counter.Task(&Counter::Add).Remote(); }
#else
void Right(const manta::ActorHandle<Counter>& counter) { counter.Task(&Counter::Add).Remote(1); }
#endif
