#pragma once
#include <cmath>
#include <cstdio>
#include <exception>
#include <vector>

// A test is TEST("a sentence") { CHECK(...); CHECK_CLOSE(a, b, tol); }; one file is one program; main() stands here.
namespace check {

struct Test {
  const char* sentence;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

struct Register {
  Register(const char* sentence, void (*body)()) { tests().push_back({sentence, body}); }
};

inline void that(bool holds, const char* text, const char* file, int line) {
  if (holds) return;
  failures()++;
  std::printf("%s:%d: not so: %s\n", file, line, text);
}

inline void close(double a, double b, double tol, const char* text, const char* file, int line) {
  if (std::fabs(a - b) <= tol * (1 + std::fabs(b))) return;
  failures()++;
  std::printf("%s:%d: %s: %.17g and %.17g differ by %.3g\n", file, line, text, a, b, std::fabs(a - b));
}

// The same numbers on every machine: a linear congruential generator, uniform in [-1, 1).
class Random {
 public:
  explicit Random(unsigned seed) : state_(seed) {}
  double next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 11) / 4503599627370496.0 - 1.0;
  }
  std::vector<double> vector(std::size_t size) {
    std::vector<double> v(size);
    for (double& x : v) x = next();
    return v;
  }

 private:
  unsigned long long state_;
};

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN_(a, b)
#define TEST(sentence)                                                                           \
  static void CHECK_JOIN(test_, __LINE__)();                                                     \
  static const check::Register CHECK_JOIN(register_, __LINE__)(sentence, CHECK_JOIN(test_, __LINE__)); \
  static void CHECK_JOIN(test_, __LINE__)()
#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
#define CHECK_CLOSE(a, b, tol) check::close((a), (b), (tol), #a " = " #b, __FILE__, __LINE__)

int main() {
  for (const check::Test& test : check::tests()) {
    const int before = check::failures();
    try {
      test.body();
    } catch (const std::exception& error) {
      check::failures()++;
      std::printf("threw: %s\n", error.what());
    }
    std::printf("%s  %s\n", check::failures() == before ? "ok  " : "FAIL", test.sentence);
  }
  return check::tests().empty() || check::failures() > 0;
}
