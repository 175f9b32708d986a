// `seedcore gateway`: start, ready line, what stops a start.
#include <csignal>
#include <regex>

#include "program.h"

namespace seedcore::test {
namespace {

std::vector<std::string> GatewayArguments(const Program& program) {
  return {"gateway", "--gateway-listen", "127.0.0.1:0", "--data-dir", (program.folder() / "data").string()};
}

TEST(Gateway, PrintsOneReadyLineReadsTheRegistryOnSighupAndEndsWellOnSigterm) {
  Program program;
  const auto gateway = program.Start(GatewayArguments(program));
  const std::string ready = gateway->AwaitLine("ready");
  ASSERT_TRUE(std::regex_match(ready, std::regex(R"(ready gateway=http://127\.0\.0\.1:\d+)")))
      << "'" << ready << "', standard error: " << gateway->err();
  gateway->Signal(SIGHUP);
  gateway->Signal(SIGTERM);
  EXPECT_EQ(gateway->Wait(), 0) << gateway->err();
}

TEST(Gateway, DoesNotServeTheNetworkWithoutTokens) {
  Program program;
  const auto refused =
      program.Run({"gateway", "--gateway-listen", "0.0.0.0:0", "--data-dir", (program.folder() / "data").string()});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(Contains(refused.err, "SEEDCORE_API_TOKENS")) << refused.err;
}

}  // namespace
}  // namespace seedcore::test
