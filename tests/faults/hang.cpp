// A job for the tests of hang detection: `hang MODE`. Its modes are the functions in kModes, below.

#include <manta/manta.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;

class Friend {
 public:
  int Pong() { return 1; }
  /// Waits for a call on `next`, which is busy in this same method by then.
  int Ping(manta::ActorHandle<Friend> next) {
    std::this_thread::sleep_for(300ms);
    return *manta::Get(next.Task(&Friend::Pong).Remote());
  }
};

std::vector<manta::ObjectRef<int>> MakeCircle(const std::vector<std::string>& names) {
  std::vector<manta::ActorHandle<Friend>> friends;
  for (std::size_t i = 0; i < names.size(); ++i)
    friends.push_back(manta::Actor<Friend>()
                          .SetName(names[i])
                          .SetRank(static_cast<int>(i + 1) % manta::NumRanks())
                          .Remote());
  for (auto& one : friends) manta::Get(one.Task(&Friend::Pong).Remote());
  std::vector<manta::ObjectRef<int>> refs;
  for (std::size_t i = 0; i < friends.size(); ++i)
    refs.push_back(friends[i].Task(&Friend::Ping).Remote(friends[(i + 1) % friends.size()]));
  return refs;
}

int Circle() {
  manta::Get(MakeCircle({"a", "b", "c"}));
  return 0;
}
/// A driver that does not wait for ever itself.
int CircleAndLeave() {
  const auto refs = MakeCircle({"a", "b", "c"});
  static_cast<void>(manta::Wait(refs, 3, 2s));
  std::cout << "the driver goes on" << std::endl;
  return 0;
}
int Sleep(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  return ms;
}
/// Tasks and calls that take longer than hang-seconds, and others that wait for them.
int LongTasks() {
  const auto slow = manta::Task(Sleep).SetRank(manta::NumRanks() - 1).Remote(3000);
  const auto waits = manta::Task([](manta::ObjectRef<int> ref) { return *manta::Get(ref); }).Remote(slow);
  const auto after = manta::Task([](int ms) { return ms; }).Remote(slow);
  return *manta::Get(waits) == 3000 && *manta::Get(after) == 3000 ? 0 : 1;
}
struct Sleeper {
  int Call(int ms) { return Sleep(ms); }
};
/// The same of an actor's call alone.
int LongCall() {
  const auto sleeper = manta::Actor<Sleeper>().SetRank(manta::NumRanks() - 1).Remote();
  return *manta::Get(sleeper.Task(&Sleeper::Call).Remote(3000)) == 3000 ? 0 : 1;
}
/// Nothing pending, and a driver that is elsewhere; then one that waits for a limited time.
int Idle() {
  manta::Get(manta::Task(Sleep).Remote(0));
  std::this_thread::sleep_for(3s);
  return 0;
}
class Holder {
 public:
  int Touch() { return 1; }
};
/// A task that needs the license that an actor keeps, and one that needs its result.
int Resources() {
  auto holder = manta::Actor<Holder>().SetName("keeper").SetResource("license", 1).Remote();
  manta::Get(holder.Task(&Holder::Touch).Remote());
  const auto wants = manta::Task(Sleep).SetName("wants").SetResource("license", 1).Remote(0);
  manta::Get(manta::Task([](int ms) { return ms; }).SetName("after").Remote(wants));
  return 0;
}
int ResourcesBusyDriver() {
  auto holder = manta::Actor<Holder>().SetName("keeper").SetResource("license", 1).Remote();
  manta::Get(holder.Task(&Holder::Touch).Remote());
  const auto wants = manta::Task(Sleep).SetName("wants").SetResource("license", 1).Remote(0);
  const auto inner = manta::Task([](manta::ObjectRef<int> ref) { return *manta::Get(ref); }).Remote(wants);
  std::this_thread::sleep_for(2s);
  holder.Kill();
  return *manta::Get(inner);
}

const std::map<std::string, int (*)()> kModes{
    {"circle", Circle},
    {"circle-and-leave", CircleAndLeave},
    {"long-tasks", LongTasks},
    {"long-call", LongCall},
    {"idle", Idle},
    {"resources", Resources},
    {"resources-busy-driver", ResourcesBusyDriver},
};

}  // namespace

int main(int argc, char** argv) {
  return manta::Run(argc, argv, [](int count, char** words) { return count < 2 ? 2 : kModes.at(words[1])(); });
}
