#include "core/runtime/hang_report.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "core/scheduling/node_spec.hpp"

namespace manta::runtime {

using wire::HangState;
using wire::HangTask;
using wire::HangWait;

HangTotals SumOf(const std::vector<wire::HangReply>& replies) {
  HangTotals sum;
  for (const wire::HangReply& reply : replies) {
    sum.progress += reply.progress;
    sum.computing += reply.computing;
    sum.endless += reply.endless;
    sum.timed += reply.timed;
  }
  sum.driver_waits = !replies.empty() && replies.front().driver_waits != 0;
  return sum;
}

bool HangClock::Observe(std::int64_t now_ns, const HangTotals& totals) {
  if (since_ns_ < 0 || totals.progress != progress_ || totals.computing != 0 || totals.endless == 0) {
    since_ns_ = now_ns;
    progress_ = totals.progress;
    said_ = false;
    return false;
  }
  return !said_ && now_ns - since_ns_ >= limit_ns_;
}

namespace {

constexpr std::size_t kMaxLines = 50;

template <class T>
std::string Text(const T& value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string ActorText(const ObjectId& actor, const std::string& name) {
  return name.empty() ? "actor " + Text(actor) : "actor '" + name + "'";
}

/// The facts by task, and what holds what back.
class Picture {
 public:
  explicit Picture(const HangFacts& facts) {
    for (const auto& [rank, task] : facts.tasks) {
      auto [it, fresh] = tasks_.try_emplace(task.id, rank, &task);
      // Who runs it knows more than the owner that has sent it there.
      if (!fresh && it->second.second->state == HangState::kSent) it->second = {rank, &task};
    }
    for (const auto& [rank, wait] : facts.waits) {
      if (!wait.run.valid()) continue;
      waits_[wait.run] = &wait;
      if (wait.needs_all) edges_[wait.run].insert(edges_[wait.run].end(), wait.objects.begin(), wait.objects.end());
      // A task that runs its child in place stands still with it.
      for (const ObjectId& outer : wait.outers) edges_[outer].push_back(wait.run);
    }
    for (const auto& [id, told] : tasks_) {
      auto& to = edges_[id];
      to.insert(to.end(), told.second->behind.begin(), told.second->behind.end());
    }
  }

  /// `= call 'Pong' on actor 'c' (rank 2), queued there behind 1 running call`
  std::string Describe(const ObjectId& id) const {
    const auto it = tasks_.find(id);
    std::string text = "object " + Text(id);
    if (it == tasks_.end()) return text + ", of which rank " + Text(id.owner) + " has said nothing";
    const auto& [rank, task] = it->second;
    const std::string on_rank = " on rank " + Text(rank);
    switch (task->state) {
      case HangState::kReady:
        return text + ", which is ready at its owner, rank " + Text(id.owner);
      case HangState::kNoTask:
        return text + ", which no task known to its owner, rank " + Text(id.owner) + ", makes";
      default:
        break;
    }
    if (task->kind == wire::TaskKind::kActorCall)
      text += " = call '" + task->name + "' on " + ActorText(task->actor, task->actor_name);
    else if (task->kind == wire::TaskKind::kActorCreation)
      text += " = the creation of " + ActorText(task->actor, task->actor_name);
    else
      text += " = task '" + task->name + "'";
    switch (task->state) {
      case HangState::kArguments:
        text += task->behind.empty() ? ", whose arguments are on their way to rank " + Text(rank)
                                     : ", which waits" + on_rank + " for " + List(task->behind);
        break;
      case HangState::kResources:
        text += ", which waits for resources: " + scheduling::Describe(task->shape);
        break;
      case HangState::kQueued:
        text += ", queued" + on_rank;
        break;
      case HangState::kMailbox:
        text += " (rank " + Text(rank) + "), queued there";
        if (task->running != 0)
          text += " behind " + Count(task->running, "running call");
        else if (task->ahead != 0)
          text += " behind " + Count(task->ahead, "call");
        break;
      case HangState::kNotMade:
        text += " (rank " + Text(rank) + "), queued there: the actor is not made yet";
        break;
      case HangState::kSent:
        text += ", sent to rank " + Text(task->where);
        break;
      default:
        text += ", which runs" + on_rank;
    }
    return text;
  }

  /// A circle of tasks and calls, each held back by the next.
  std::optional<std::vector<ObjectId>> FindCircle() const {
    std::map<ObjectId, int> color;  // 1: on the path, 2: done
    for (const auto& [start, to] : edges_) {
      if (color[start] != 0) continue;
      std::vector<std::pair<ObjectId, std::size_t>> path{{start, 0}};
      color[start] = 1;
      while (!path.empty()) {
        auto& [at, next] = path.back();
        const auto edges = edges_.find(at);
        if (edges == edges_.end() || next == edges->second.size()) {
          color[at] = 2;
          path.pop_back();
          continue;
        }
        const ObjectId to_id = edges->second[next++];
        int& seen = color[to_id];
        if (seen == 0) {
          seen = 1;
          path.emplace_back(to_id, 0);
        } else if (seen == 1) {
          std::vector<ObjectId> circle;
          auto from = std::find_if(path.begin(), path.end(), [&](const auto& one) { return one.first == to_id; });
          for (; from != path.end(); ++from) circle.push_back(from->first);
          return circle;
        }
      }
    }
    return std::nullopt;
  }
  /// The actor, where there is one, else the task.
  std::string Name(const ObjectId& id) const {
    if (const auto wait = waits_.find(id); wait != waits_.end()) {
      const HangWait& one = *wait->second;
      return one.actor.valid() ? NameOf(one.actor, one.actor_name) : one.name;
    }
    const auto task = tasks_.find(id);
    if (task == tasks_.end()) return Text(id);
    const HangTask& one = *task->second.second;
    return one.actor.valid() ? NameOf(one.actor, one.actor_name) : one.name;
  }
  const std::map<ObjectId, std::pair<Rank, const HangTask*>>& tasks() const { return tasks_; }

 private:
  static std::string NameOf(const ObjectId& actor, const std::string& name) {
    return name.empty() ? "actor " + Text(actor) : name;
  }
  static std::string Count(std::uint64_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
  }
  static std::string List(const std::vector<ObjectId>& ids) {
    std::string text = ids.size() == 1 ? "object " : "objects ";
    for (std::size_t i = 0; i < ids.size(); ++i) text += (i == 0 ? "" : ", ") + Text(ids[i]);
    return text;
  }

  std::map<ObjectId, std::pair<Rank, const HangTask*>> tasks_;
  std::map<ObjectId, const HangWait*> waits_;       // by run
  std::map<ObjectId, std::vector<ObjectId>> edges_;  // a task or call, and those that it can't go on without
};

std::string WaiterText(Rank rank, const HangWait& wait) {
  std::string text = "rank " + Text(rank) + " ";
  if (wait.actor.valid())
    text += ActorText(wait.actor, wait.actor_name) + " (method " + wait.name + ")";
  else if (wait.run.valid())
    text += "task '" + wait.name + "'";
  else
    text += rank == Rank(0) ? "driver" : "thread";
  return text + " waits for ";
}

}  // namespace

std::vector<ObjectId> NotYetTold(const HangFacts& facts) {
  std::set<ObjectId> told, wanted;
  for (const auto& [rank, task] : facts.tasks) {
    told.insert(task.id);
    wanted.insert(task.behind.begin(), task.behind.end());
  }
  for (const auto& [rank, wait] : facts.waits) {
    wanted.insert(wait.objects.begin(), wait.objects.end());
    wanted.insert(wait.outers.begin(), wait.outers.end());  // for their names
  }
  std::vector<ObjectId> missing;
  std::set_difference(wanted.begin(), wanted.end(), told.begin(), told.end(), std::back_inserter(missing));
  return missing;
}

HangText DescribeHang(const HangFacts& facts) {
  HangText text;
  const Picture picture(facts);
  char seconds[32];
  std::snprintf(seconds, sizeof(seconds), "%.1f", facts.seconds);
  text.lines.push_back("no progress for " + std::string(seconds) + " s; who waits for whom:");
  std::set<ObjectId> said;
  std::uint64_t left_out = facts.more_waits;
  auto say = [&](std::string line) {
    if (text.lines.size() < kMaxLines)
      text.lines.push_back("  " + std::move(line));
    else
      ++left_out;
  };
  for (const auto& [rank, wait] : facts.waits) {
    std::string line = WaiterText(rank, wait);
    if (!wait.what.empty()) line += wait.what;
    if (wait.objects.size() + wait.more > 1)
      line += (wait.needs_all ? "all of " : "some of ") + std::to_string(wait.objects.size() + wait.more) + " objects: ";
    for (std::size_t i = 0; i < wait.objects.size(); ++i) {
      line += (i == 0 ? "" : "; ") + picture.Describe(wait.objects[i]);
      said.insert(wait.objects[i]);
    }
    if (wait.more != 0) line += "; and " + std::to_string(wait.more) + " more";
    say(std::move(line));
  }
  // What stands between: tasks that nobody waits for in a Get, but others as an argument.
  std::set<ObjectId> running;
  for (const auto& [rank, wait] : facts.waits) {
    running.insert(wait.run);
    running.insert(wait.outers.begin(), wait.outers.end());
  }
  for (const auto& [id, told] : picture.tasks())
    if (!said.contains(id) && !running.contains(id)) say(picture.Describe(id));
  if (left_out != 0) text.lines.push_back("  and " + std::to_string(left_out) + " more");

  const bool resources = std::any_of(facts.tasks.begin(), facts.tasks.end(),
                                     [](const auto& told) { return told.second.state == HangState::kResources; });
  if (resources) {
    for (const std::string& line : facts.resources) text.lines.push_back("  " + line);
  }
  if (const auto circle = picture.FindCircle()) {
    text.circle = true;
    std::vector<std::string> names;
    for (const ObjectId& id : *circle)
      if (std::string name = picture.Name(id); names.empty() || names.back() != name) names.push_back(std::move(name));
    if (names.size() > 1 && names.back() == names.front()) names.pop_back();
    // From the least name on, so that the line is the same wherever the search began.
    std::rotate(names.begin(), std::min_element(names.begin(), names.end()), names.end());
    std::string line = "  cycle: ";
    for (const std::string& name : names) line += name + " -> ";
    text.lines.push_back(line + names.front());
  }
  return text;
}

}  // namespace manta::runtime
