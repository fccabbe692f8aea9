// Parts of the program that can be called without starting it.
#include <gtest/gtest.h>

#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "tests/cli/program.hpp"

namespace parity::cli {
namespace {

TEST(Output, AnAbandonedFileLeavesNothing) {
  const test::Workshop workshop;
  { const OutputFile file(workshop.path("r.html").string()); }
  EXPECT_TRUE(workshop.files().empty());
}

TEST(Output, AnAbandonedFileLeavesTheOldOneAsItWas) {
  const test::Workshop workshop;
  workshop.write("r.html", "old");
  { const OutputFile file(workshop.path("r.html").string()); }
  EXPECT_EQ(workshop.files(), std::vector<std::string>{"r.html"});
  EXPECT_EQ(workshop.read("r.html"), "old");
  OutputFile(workshop.path("r.html").string()).write("new");
  EXPECT_EQ(workshop.files(), std::vector<std::string>{"r.html"});
  EXPECT_EQ(workshop.read("r.html"), "new");
}

TEST(Progress, SaysWhereItIsAndHowLong) {
  const Progress progress{"blocks.1.0", 4, 16, 250, 1000};
  EXPECT_EQ(progress_text(progress, 10), "stage 5 of 16  blocks.1.0  25 %  30 s left");
  EXPECT_EQ(progress_text(progress, 0.05), "stage 5 of 16  blocks.1.0  25 %");
}

TEST(Shell, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(shell_quoted("cpu:tf32@sm_90,round=rna"), "cpu:tf32@sm_90,round=rna");
  EXPECT_EQ(shell_quoted("a b"), "'a b'");
  EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_quoted(""), "''");
}

TEST(ExitCodes, FollowTheFault) {
  EXPECT_EQ(exit_code(Fault::bad_request), ExitCode::usage);
  EXPECT_EQ(exit_code(Fault::bad_model), ExitCode::invalid);
  EXPECT_EQ(exit_code(Fault::bad_input), ExitCode::invalid);
  for (const Fault fault : {Fault::device, Fault::out_of_memory, Fault::io, Fault::internal})
    EXPECT_EQ(exit_code(fault), ExitCode::device);
}

TEST(Environment, TheContractsPrerequisitesHoldHere) {
  for (const SelfTest& test : arithmetic_self_tests()) EXPECT_TRUE(test.holds) << test.what;
}

TEST(Environment, MemoryThatIsNotThereIsRefusedWithBothFigures) {
  if (machine().available_bytes == 0)
    GTEST_SKIP() << "this system does not say how much memory it has";
  EXPECT_NO_THROW(require_memory(1, "a byte"));
  try {
    require_memory(std::int64_t{1} << 60, "a diff");
    FAIL() << "an exbibyte was found";
  } catch (const Error& error) {
    EXPECT_EQ(error.fault(), Fault::out_of_memory);
    EXPECT_NE(std::string(error.what()).find("a diff needs 1073741824.0 GiB, and "),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace parity::cli
