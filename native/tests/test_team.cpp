#include <numeric>
#include <stdexcept>

#include "check.hpp"
#include "shrinkage/team.hpp"

#if !defined(_WIN32)
#include <sys/wait.h>
#endif

using namespace shrinkage;

namespace {

struct Threads {
  explicit Threads(int n) { team::limit() = n; }
  ~Threads() { team::limit() = 1; }
};

void wait_a_little() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

}  // namespace

TEST("each item is done once, whatever the number of threads") {
  for (const int threads : {1, 2, 5}) {
    const Threads set(threads);
    for (int round = 0; round < 50; round++) {
      std::vector<int> done(97, 0);
      team::share(team::members(97, 1e9), 97, [&](std::int64_t item, std::size_t) { done[item]++; });
      CHECK(done == std::vector<int>(97, 1));
    }
  }
}

TEST("members are fewer than the threads set, and no two items have the same member at once") {
  const Threads set(3);
  std::vector<std::atomic<int>> busy(3);
  std::atomic<bool> clash{false};
  team::share(team::members(40, 1e9), 40, [&](std::int64_t, std::size_t member) {
    if (member >= 3 || busy[member].fetch_add(1) > 0) clash = true;
    std::this_thread::yield();
    busy[member]--;
  });
  CHECK(!clash);
}

TEST("several threads take part where items are long") {
  const Threads set(2);
  std::vector<std::size_t> who(8);
  team::share(team::members(8, 1e9), 8, [&](std::int64_t item, std::size_t member) {
    who[item] = member;
    wait_a_little();
  });
  CHECK(std::accumulate(who.begin(), who.end(), std::size_t(0)) > 0);
}

TEST("tiny work, and work inside a team, is done by one thread") {
  const Threads set(4);
  CHECK(team::members(100, 1000) == 1);
  CHECK(team::members(1, 1e12) == 1);
  CHECK(team::members(100, 1e12) == 4);
  std::vector<std::size_t> inner(6, 0);
  team::share(team::members(6, 1e9), 6, [&](std::int64_t item, std::size_t) { inner[item] = team::members(100, 1e12); });
  CHECK(inner == std::vector<std::size_t>(6, 1));
  CHECK(team::members(100, 1e12) == 4);
}

TEST("inside a lone item a team may still form") {
  const Threads set(2);
  std::size_t inner = 0;
  team::share(team::members(1, 1e9), 1, [&](std::int64_t, std::size_t) { inner = team::members(100, 1e12); });
  CHECK(inner == 2);
}

TEST("what an item throws comes out, no more items begin, and the team works on") {
  for (const int threads : {1, 3}) {
    const Threads set(threads);
    std::atomic<int> begun{0};
    bool caught = false;
    try {
      team::share(team::members(1000, 1e9), 1000, [&](std::int64_t item, std::size_t) {
        begun++;
        if (item == 3) throw std::runtime_error("the fourth");
        wait_a_little();
      });
    } catch (const std::runtime_error& error) {
      caught = std::string(error.what()) == "the fourth";
    }
    CHECK(caught);
    CHECK(begun < 50);
    std::atomic<int> done{0};
    team::share(team::members(10, 1e9), 10, [&](std::int64_t, std::size_t) { done++; });
    CHECK(done == 10);
  }
}

TEST("a request to stop reaches long items of every member, also while the caller waits for them") {
  const Threads set(2);
  static std::atomic<bool> asked;
  static std::thread::id caller;
  static std::atomic<bool> by_another;
  caller = std::this_thread::get_id();
  by_another = false;
  interrupt_requested = [] {
    if (std::this_thread::get_id() != caller) by_another = true;
    return asked.load();
  };
  asked = false;
  std::atomic<bool> stopped{false}, never{false};
  std::atomic<int> begun{0};
  bool caught = false;
  try {
    team::share(team::members(2, 1e9), 2, [&](std::int64_t, std::size_t member) {
      for (begun++; begun < 2;) wait_a_little();  // one item each
      if (member == 0) return;
      asked = true;
      for (int i = 0; i < 1000; i++) {
        try {
          check_interrupt();
        } catch (...) {
          stopped = true;
          throw;
        }
        wait_a_little();
      }
      never = true;
    });
  } catch (const Interrupted&) {
    caught = true;
  }
  interrupt_requested = nullptr;
  CHECK(caught);
  CHECK(stopped);
  CHECK(!never);
  CHECK(!by_another);
}

TEST("calls from several threads at once are all done") {
  const Threads set(2);
  std::vector<std::thread> callers;
  std::atomic<int> done{0};
  for (int t = 0; t < 4; t++)
    callers.emplace_back([&] {
      for (int round = 0; round < 20; round++) team::share(team::members(9, 1e9), 9, [&](std::int64_t, std::size_t) { done++; });
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(done == 4 * 20 * 9);
}

#if !defined(_WIN32) && !defined(__SANITIZE_THREAD__)
TEST("a forked process makes threads of its own") {
  const Threads set(2);
  const auto several = [] {
    std::vector<std::size_t> who(8, 0);
    team::share(team::members(8, 1e9), 8, [&](std::int64_t item, std::size_t member) {
      who[item] = member;
      wait_a_little();
    });
    return std::accumulate(who.begin(), who.end(), std::size_t(0)) > 0;
  };
  CHECK(several());
  const pid_t child = fork();
  if (child == 0) _exit(several() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif
