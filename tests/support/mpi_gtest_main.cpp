// Runs GoogleTest on every rank of an MPI job. Rank 0 reports to stdout; the others print only their failures, with
// their rank. After each test the ranks agree: a test that failed anywhere has failed everywhere, so that rank 0's
// report is the whole one. All ranks run the same tests in the same order; tests may call MPI from any thread, on
// communicators they duplicate.

#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

/// What ranks above 0 report: one block a failure.
class FailurePrinter : public testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}

  // GoogleTest holds its lock while it reports a failure, so the name is remembered here, not asked for then.
  void OnTestStart(const testing::TestInfo& test) override {
    name_ = std::string(test.test_suite_name()) + "." + test.name();
  }

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "[rank %d] %s failed at %s:%d\n%s\n", rank_, name_.c_str(),
                 result.file_name() ? result.file_name() : "?", result.line_number(), result.summary());
  }

 private:
  int rank_;
  std::string name_ = "outside of a test";
};

/// Fails a test on this rank that failed on another. Appended last: so it comes before the printers at a test's end.
class FailureSharer : public testing::EmptyTestEventListener {
 public:
  explicit FailureSharer(MPI_Comm comm) : comm_(comm) {}

  void OnTestEnd(const testing::TestInfo& test) override {
    const int failed_here = test.result()->Failed() ? 1 : 0;
    int failed = 0;
    MPI_Allreduce(&failed_here, &failed, 1, MPI_INT, MPI_MAX, comm_);
    if (failed != 0 && failed_here == 0) ADD_FAILURE() << "failed on another rank";
  }

 private:
  MPI_Comm comm_;
};

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm comm = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &comm);
  testing::InitGoogleTest(&argc, argv);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank != 0) {
    std::unique_ptr<testing::TestEventListener> printer(listeners.Release(listeners.default_result_printer()));
    std::unique_ptr<testing::TestEventListener> report(listeners.Release(listeners.default_xml_generator()));
    listeners.Append(new FailurePrinter(rank));
  }
  listeners.Append(new FailureSharer(comm));

  const int failed_here = RUN_ALL_TESTS();

  int failed = 0;
  MPI_Allreduce(&failed_here, &failed, 1, MPI_INT, MPI_MAX, comm);
  MPI_Comm_free(&comm);
  MPI_Finalize();
  return failed;
}
