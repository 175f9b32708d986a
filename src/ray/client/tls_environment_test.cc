#include "ray/client/tls_environment.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <stdlib.h>

#include <gtest/gtest.h>

namespace seedcore::ray {
namespace {

class TlsEnvironment : public ::testing::Test {
 protected:
  TlsEnvironment() {
    std::string pattern = ::testing::TempDir() + "tls-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~TlsEnvironment() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  Result<std::optional<TlsMaterial>> Read() {
    return TlsFromEnvironment([this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    });
  }

  std::filesystem::path folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(TlsEnvironment, IsPlainWhenNothingIsSet) {
  const auto read = Read();
  ASSERT_TRUE(read);
  EXPECT_FALSE(*read);
}

TEST_F(TlsEnvironment, ReadsTheThreeFiles) {
  environment_ = {{"RAY_USE_TLS", "1"},
                  {"RAY_TLS_SERVER_CERT", File("cert", "C")},
                  {"RAY_TLS_SERVER_KEY", File("key", "K")},
                  {"RAY_TLS_CA_CERT", File("ca", "A")}};
  const auto read = Read();
  ASSERT_TRUE(read);
  ASSERT_TRUE(*read);
  EXPECT_EQ((*read)->cert + (*read)->key + (*read)->ca, "CKA");
}

TEST_F(TlsEnvironment, NamesTheVariableThatIsWrong) {
  environment_ = {{"RAY_USE_TLS", "1"}, {"RAY_TLS_SERVER_CERT", File("cert", "C")}};
  EXPECT_EQ(Read().error().path, "RAY_TLS_SERVER_KEY");
  environment_["RAY_TLS_SERVER_KEY"] = folder_ / "none";
  EXPECT_EQ(Read().error().path, "RAY_TLS_SERVER_KEY");
}

}  // namespace
}  // namespace seedcore::ray
