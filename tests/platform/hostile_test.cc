// Bad input over the real listeners: a clear 4xx, nothing stored, the process unharmed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "net/testing.h"
#include "support/running_platform.h"

namespace seedcore::test {
namespace {

using namespace std::string_literals;

using net::testing::Get;
using net::testing::Post;
using net::testing::RawClient;
using net::testing::RawResponse;

std::string Repeat(std::string_view text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

std::string Gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// A refusal that a person can act on: 4xx, and an error object with code, message and path.
void ExpectRefusal(const RawResponse& response, const std::string& what, int status = 0) {
  EXPECT_GE(response.status, 400) << what << ": " << response.head << response.body.substr(0, 500);
  EXPECT_LT(response.status, 500) << what << ": " << response.head << response.body.substr(0, 500);
  if (status != 0) {
    EXPECT_EQ(response.status, status) << what << ": " << response.body.substr(0, 500);
  }
  const auto body = ParseJson(response.body);
  ASSERT_TRUE(body) << what << ": no JSON: " << response.body.substr(0, 500);
  EXPECT_TRUE(At(*body, "error.code").is_string()) << what << ": " << response.body;
  EXPECT_FALSE(TextAt(*body, "error.message").empty()) << what << ": " << response.body;
  EXPECT_TRUE(At(*body, "error.path").is_string()) << what << ": " << response.body;
  EXPECT_LT(response.body.size(), 2000U) << what << ": what was sent is not sent back in full";
}

/// One platform for all tests of the process; each test leaves it as it found it.
class Hostile : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { platform_ = std::make_unique<RunningPlatform>(); }
  static void TearDownTestSuite() { platform_.reset(); }

  void TearDown() override {
    EXPECT_EQ(platform_->tasks().Get("/health").status, 200);
    EXPECT_EQ(platform_->tasks().Get("/readyz").status, 200);
    EXPECT_EQ(platform_->services().Get("/pipeline/health").status, 200);
    EXPECT_EQ(platform_->StoredTasks(), 0) << "a refused request has stored something";
    EXPECT_EQ(platform_->tasks().Get("/api/v1/facts").Text("total"), "0");
  }

  [[nodiscard]] static std::uint16_t Tasks() { return platform_->tasks().port(); }
  [[nodiscard]] static std::uint16_t Services() { return platform_->services().port(); }
  /// The answer to these bytes on a connection of their own.
  static RawResponse Exchange(std::uint16_t port, std::string_view bytes) {
    RawClient client(port);
    EXPECT_TRUE(client.connected());
    client.Write(bytes);
    return client.ReadResponse();
  }
  static void ExpectBodyRefused(const std::string& what, const std::string& body, int status = 0,
                                const std::string& path = "/api/v1/tasks") {
    ExpectRefusal(Exchange(path.starts_with("/api/") ? Tasks() : Services(), Post(path, body)), what, status);
  }

  static std::unique_ptr<RunningPlatform> platform_;
};
std::unique_ptr<RunningPlatform> Hostile::platform_;

TEST_F(Hostile, TextThatIsNoJson) {
  for (const std::string body :
       {"{", "}", "[", R"({"type":})", R"({"type":"a",})", R"({type:"a"})", R"({'type':'a'})", R"({"type":"a"} x)",
        R"({"type":"a"}{"type":"b"})", "\xef\xbb\xbf{\"type\":\"a\"}", R"({"type":"\x41"})", R"({"type":"\ud800"})",
        "{\"type\":\"a\nb\"}", "// {}", "tru", "\"", "<xml/>", "type=a&b=c", "\x01\x02\x03"}) {
    ExpectBodyRefused(body, body, 400);
  }
  ExpectBodyRefused("a NUL", std::string("{\"type\":\"a\0b\"}", 14), 400);
  ExpectBodyRefused("nothing but NULs", std::string(1000, '\0'), 400);
}

TEST_F(Hostile, BytesThatAreNoUtf8) {
  for (const std::string_view bytes : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82"}) {
    ExpectBodyRefused("in a value", "{\"type\":\"a" + std::string(bytes) + "\"}", 400);
    ExpectBodyRefused("in a name", "{\"type\":\"a\",\"x" + std::string(bytes) + "\":1}", 400);
    ExpectBodyRefused("in a free-form value", "{\"type\":\"a\",\"params\":{\"x\":\"" + std::string(bytes) + "\"}}",
                      400);
  }
}

TEST_F(Hostile, NumbersThatAreNone) {
  for (const std::string number : {"NaN", "nan", "Infinity", "-Infinity", "inf", "+1", ".5", "1.", "01", "0x10", "1e",
                                   "1e999", "-1e999", "1e99999999999999999999"}) {
    ExpectBodyRefused(number, R"({"type":"a","priority":)" + number + "}", 400);
    ExpectBodyRefused(number, R"({"type":"a","params":{"x":)" + number + "}}", 400);
    ExpectBodyRefused(number, R"({"agent_id":"a","series":[1,2,)" + number + "]}", 400, "/pipeline/anomaly-triage");
  }
  ExpectBodyRefused("a number of a million digits", R"({"type":"a","priority":1)" + std::string(1'000'000, '0') + "}",
                    400);
}

TEST_F(Hostile, NumbersOutOfRange) {
  for (const std::string number : {"0", "11", "-1", "2147483648", "9223372036854775808", "18446744073709551616",
                                   "-9223372036854775809", "1.5", "1e300", "5e-324"}) {
    ExpectBodyRefused(number, R"({"type":"a","priority":)" + number + "}", 422);
  }
  ExpectBodyRefused("attempts", R"({"type":"a","retry":{"max_attempts":0}})", 422);
  ExpectBodyRefused("backoff", R"({"type":"a","retry":{"base_s":1e300}})", 422);
  ExpectBodyRefused("negative backoff", R"({"type":"a","retry":{"base_s":-1}})", 422);
  ExpectBodyRefused("drift", R"({"type":"a","drift_score":-1})", 422);
  ExpectBodyRefused("a year that does not exist", R"({"type":"a","deadline":"99999-01-01T00:00:00Z"})", 422);
  ExpectBodyRefused("a day that does not exist", R"({"type":"a","deadline":"2025-02-30T00:00:00Z"})", 422);
}

TEST_F(Hostile, WrongTypesNameTheirPath) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"type":7})", "type"},
      {R"({"type":null})", "type"},
      {R"({"type":["a"]})", "type"},
      {R"({"type":{}})", "type"},
      {R"({"type":""})", "type"},
      {R"({"type":"   "})", "type"},
      {R"({"type":"a b"})", "type"},
      {R"({"type":"ünïcode"})", "type"},
      {R"({"type":")" + std::string(129, 'a') + "\"}", "type"},
      {R"({"type":"a","params":[]})", "params"},
      {R"({"type":"a","params":"x"})", "params"},
      {R"({"type":"a","description":7})", "description"},
      {R"({"type":"a","run_immediately":"yes"})", "run_immediately"},
      {R"({"type":"a","priority":"high"})", "priority"},
      {R"({"type":"a","depends_on":"x"})", "depends_on"},
      {R"({"type":"a","depends_on":[7]})", "depends_on[0]"},
      {R"({"type":"a","retry":7})", "retry"},
      {R"({"type":"a","retry":{"max_attempts":"three"}})", "retry.max_attempts"},
      {R"({"type":"a","deadline":"tomorrow"})", "deadline"},
      {R"({"type":"a","run_after":17})", "run_after"},
      {R"({"type":"a","idempotency_key":")" + std::string(256, 'k') + "\"}", "idempotency_key"},
      {R"({"type":"a","descripton":"x"})", "descripton"},
      {R"({"type":"a","retry":{"max_atempts":3}})", "retry.max_atempts"},
      {R"({})", "type"},
  };
  for (const auto& [body, path] : cases) {
    const RawResponse response = Exchange(Tasks(), Post("/api/v1/tasks", body));
    ExpectRefusal(response, body, 422);
    EXPECT_EQ(TextAt(*ParseJson(response.body), "error.path"), path) << response.body;
  }
  for (const std::string body : {"[]", "7", "null", "\"text\"", "true"}) ExpectBodyRefused(body, body, 422);
  ExpectBodyRefused("dependencies that do not exist", R"({"type":"a","depends_on":["nothing"]})");
  ExpectBodyRefused("too many dependencies", R"({"type":"a","depends_on":[)" + Repeat("\"x\",", 100) + "\"x\"]}", 422);
  ExpectBodyRefused("an empty batch", R"({"tasks":[]})", 422, "/api/v1/tasks/batch");
  ExpectBodyRefused("a batch that is too large",
                    R"({"tasks":[)" + Repeat(R"({"type":"a"},)", 1000) + R"({"type":"a"}]})", 422,
                    "/api/v1/tasks/batch");
  ExpectBodyRefused("an empty fact", R"({"text":""})", 422, "/api/v1/facts");
  ExpectBodyRefused("a fact that is too long", R"({"text":")" + std::string(65'537, 'a') + "\"}", 422, "/api/v1/facts");
}

TEST_F(Hostile, DeepNesting) {
  for (const auto& [open, close] : {std::pair("[", "]"), {"{\"a\":", "}"}}) {
    const std::string deep = Repeat(open, 10'000) + "1" + Repeat(close, 10'000);
    ExpectBodyRefused("as the body", deep, 400);
    ExpectBodyRefused("as a free-form value", R"({"type":"a","params":{"x":)" + deep + "}}", 400);
    ExpectBodyRefused("never closed", Repeat(open, 10'000), 400);
  }
}

TEST_F(Hostile, ManyUnknownNamesAndVeryLongOnes) {
  std::string many = R"({"type":"a")";
  for (int i = 0; i < 100'000; ++i) many += fmt::format(R"(,"n{}":{})", i, i);
  ExpectBodyRefused("a hundred thousand unknown names", many + "}", 422);
  ExpectBodyRefused("a name of a megabyte", R"({"type":"a",")" + std::string(1 << 20, 'n') + "\":1}", 422);
  ExpectBodyRefused("a value of a megabyte", R"({"type":")" + std::string(1 << 20, 'n') + "\"}", 422);
  ExpectBodyRefused("a wrong value of a megabyte", R"({"type":"a","priority":")" + std::string(1 << 20, 'n') + "\"}",
                    422);
  ExpectBodyRefused("a megabyte below a map", R"({"add":[{")" + std::string(1 << 20, 'n') + R"(":1}]})", 0,
                    "/api/v1/tasks/batch");
}

TEST_F(Hostile, EmptyAndEnormousSeries) {
  for (const std::string path : {"/pipeline/anomaly-triage", "/ml/detect/anomaly"}) {
    const std::string name = path.starts_with("/ml/") ? "data" : "series";
    const std::string agent = path.starts_with("/ml/") ? "" : R"("agent_id":"a",)";
    ExpectBodyRefused("empty " + path, fmt::format(R"({{{}"{}":[]}})", agent, name), 422, path);
    ExpectBodyRefused("texts " + path, fmt::format(R"({{{}"{}":["a","b"]}})", agent, name), 422, path);
    ExpectBodyRefused("nulls " + path, fmt::format(R"({{{}"{}":[1,null,2]}})", agent, name), 422, path);
    ExpectBodyRefused("nested " + path, fmt::format(R"({{{}"{}":[[1],[2]]}})", agent, name), 422, path);
    ExpectBodyRefused("nine megabytes " + path,
                      fmt::format(R"({{{}"{}":[{}1]}})", agent, name, Repeat("123456.7,", 1'050'000)), 413, path);
    ExpectBodyRefused("more points than allowed " + path,
                      fmt::format(R"({{{}"{}":[{}1]}})", agent, name, Repeat("1,", 1'000'001)), 0, path);
  }
  // The extremes of a double are numbers: they are answered, not refused, and do no harm.
  for (const std::string series : {"[1e308,-1e308,1e308,-1e308,1e308]", "[0,0,0,0,0,0,0]", "[5e-324]", "[1]"}) {
    const RawResponse response =
        Exchange(Services(), Post("/pipeline/anomaly-triage", R"({"agent_id":"a","series":)" + series + "}"));
    EXPECT_EQ(response.status, 200) << series << ": " << response.body;
    EXPECT_EQ(response.body.find("nan"), std::string::npos);
  }
}

TEST_F(Hostile, HeadersThatBreakTheRules) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"no version", "GET /health\r\n\r\n"},
      {"a version of the future", "GET /health HTTP/9.9\r\nHost: x\r\n\r\n"},
      {"no host", "GET /health HTTP/1.1\r\n\r\n"},
      {"two hosts", "GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"},
      {"a space before the colon", "GET /health HTTP/1.1\r\nHost : x\r\n\r\n"},
      {"a folded line", "GET /health HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"},
      {"no name", "GET /health HTTP/1.1\r\nHost: x\r\n: value\r\n\r\n"},
      {"a NUL in a value", "GET /health HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"s},
      {"a bare carriage return", "GET /health HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"},
      {"no header at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello TLS\r\n\r\n"},
      {"too many fields", "GET /health HTTP/1.1\r\nHost: x\r\n" + Repeat("A: b\r\n", 200) + "\r\n"},
      {"a field that is too large", "GET /health HTTP/1.1\r\nHost: x\r\nA: " + std::string(20'000, 'b') + "\r\n\r\n"},
      {"a name that is too large", "GET /health HTTP/1.1\r\nHost: x\r\n" + std::string(20'000, 'a') + ": b\r\n\r\n"},
      {"a deadline that is none", Get("/api/v1/tasks", "X-Request-Timeout-Ms: soon\r\n")},
      {"a key that is too long",
       Post("/api/v1/tasks", R"({"type":"a"})", "Idempotency-Key: " + std::string(300, 'k') + "\r\n")},
      {"another media type", Post("/api/v1/tasks", "type: a", "Content-Type: text/yaml\r\n")},
      {"a form", Post("/api/v1/tasks", "type=a", "Content-Type: application/x-www-form-urlencoded\r\n")},
  };
  for (const auto port : {Tasks(), Services()}) {
    for (const auto& [what, bytes] : cases) {
      if (port == Services() && bytes.find("/api/") != std::string::npos) continue;
      ExpectRefusal(Exchange(port, bytes), what);
    }
  }
}

TEST_F(Hostile, FramingThatTwoServersCouldReadDifferently) {
  const std::string smuggled = "POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"type\":\"a\"}";
  const std::string post = "POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"},
      {"two lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"},
      {"the same length twice", "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"},
      {"a list of lengths", "Content-Length: 2, 2\r\n\r\n{}"},
      {"a length with a sign", "Content-Length: +2\r\n\r\n{}"},
      {"a negative length", "Content-Length: -2\r\n\r\n{}"},
      {"a length in hexadecimal", "Content-Length: 0x2\r\n\r\n{}"},
      {"a length that overflows", "Content-Length: 18446744073709551618\r\n\r\n{}"},
      {"an empty length", "Content-Length:\r\n\r\n{}"},
      {"chunks, then something else", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
      {"chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"hidden chunks", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
      {"chunks with a tab", "Transfer-Encoding:\tx\tchunked\r\n\r\n0\r\n\r\n"},
      {"gzip as transfer", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"a chunk size that is none", "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"},
      {"a negative chunk", "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n"},
      {"a chunk that overflows", "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n"},
      {"a chunk longer than it says", "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n"},
      {"chunks in HTTP/1.0", ""},
  };
  for (const auto& [what, rest] : cases) {
    RawClient client(Tasks());
    client.Write(rest.empty() ? "POST /api/v1/tasks HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled
                              : post + rest + smuggled);
    ExpectRefusal(client.ReadResponse(), what);
    EXPECT_TRUE(client.EndsHere()) << what << ": nothing after it is taken for a request";
  }
}

TEST_F(Hostile, PathsThatWantToBeElsewhere) {
  for (const std::string path : {"/../health",
                                 "/api/../../etc/passwd",
                                 "/api/v1/tasks/..%2f..%2fetc",
                                 "/api/v1/%2e%2e/%2e%2e/health",
                                 "/%2e%2e/%2e%2e/etc/passwd",
                                 "/api/v1/tasks/%00",
                                 "/api/v1/tasks/a%00b",
                                 "/%",
                                 "/%4",
                                 "/%zz",
                                 "/api/v1/tasks/%ff",
                                 "/api/v1/tasks/%c0%ae",
                                 "health",
                                 "\\health",
                                 "/health\\..\\x",
                                 "http://elsewhere/../x",
                                 "/api/v1/tasks/%0d%0aSet-Cookie:x",
                                 "/api/v1/tasks/<script>",
                                 "*",
                                 "/API/V1/TASKS",
                                 "/api/v1/tasks/;x/y/z"}) {
    ExpectRefusal(Exchange(Tasks(), Get(path)), path);
  }
  ExpectRefusal(Exchange(Tasks(), Get("/api/v1/tasks/" + std::string(10'000, 'a'))), "a very long id");
  ExpectRefusal(Exchange(Tasks(), Get("/" + std::string(100'000, 'a'))), "a path larger than a header may be");
  ExpectRefusal(Exchange(Tasks(), Get(Repeat("/a", 5'000))), "five thousand segments");
  ExpectRefusal(Exchange(Services(), Get("/api/v1/tasks")), "the task API on the other listener");
}

TEST_F(Hostile, QueriesWithoutMeasure) {
  const std::string list = "/api/v1/tasks?";
  ExpectRefusal(Exchange(Tasks(), Get(list + "q=" + std::string(100'000, 'a'))), "longer than a header may be");
  ExpectRefusal(Exchange(Tasks(), Get(list + Repeat("a=b&", 3'000))), "three thousand parameters");
  ExpectRefusal(Exchange(Tasks(), Get(list + "limit=5&limit=6")), "twice the same", 422);
  ExpectRefusal(Exchange(Tasks(), Get(list + "limit=99999999999999999999")), "a huge limit", 422);
  ExpectRefusal(Exchange(Tasks(), Get(list + "limit=NaN")), "no number", 422);
  ExpectRefusal(Exchange(Tasks(), Get(list + "limit=%7b%22a%22:1%7d")), "an object", 422);
  ExpectRefusal(Exchange(Tasks(), Get(list + "cursor=%00")), "a NUL");
  ExpectRefusal(Exchange(Tasks(), Get(list + "cursor=" + std::string(5'000, 'A'))), "a cursor of nonsense", 422);
  ExpectRefusal(Exchange(Tasks(), Get(list + "q=%ff%fe")), "no UTF-8", 400);
  // What a search engine or SQL would take for more than text is text.
  for (const std::string words :
       {"%27%20OR%201=1--", "%25_%25", "%22", "*", "NEAR(", "AND%20OR%20NOT", "%F0%9F%9A%80"}) {
    EXPECT_EQ(Exchange(Tasks(), Get(list + "q=" + words)).status, 200) << words;
    EXPECT_EQ(Exchange(Tasks(), Get("/api/v1/facts?q=" + words)).status, 200) << words;
  }
}

TEST_F(Hostile, CompressedBodies) {
  const std::string packed = "Content-Encoding: gzip\r\n";
  const std::string bomb = Gzip(R"({"type":")" + std::string(64 << 20, 'a') + "\"}");
  ASSERT_LT(bomb.size(), 100'000U);
  ExpectRefusal(Exchange(Tasks(), Post("/api/v1/tasks", bomb, packed)), "sixty megabytes out of sixty kilobytes", 413);
  ExpectRefusal(Exchange(Tasks(), Post("/api/v1/tasks", Gzip(Gzip(R"({"type":"a"})")), packed)), "packed twice", 400);
  ExpectRefusal(Exchange(Tasks(), Post("/api/v1/tasks", R"({"type":"a"})", packed)), "not packed at all", 400);
  const std::string whole = Gzip(R"({"type":"a"})");
  ExpectRefusal(Exchange(Tasks(), Post("/api/v1/tasks", whole.substr(0, whole.size() - 5), packed)), "cut short", 400);
  ExpectRefusal(Exchange(Tasks(), Post("/api/v1/tasks", whole + "more", packed)), "with a tail", 400);
  ExpectRefusal(Exchange(Tasks(), Post("/api/v1/tasks", "x", "Content-Encoding: br\r\n")), "another coding", 415);
}

TEST_F(Hostile, BodiesLargerThanAllowed) {
  RawClient claimed(Tasks());
  claimed.Write("POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
  ExpectRefusal(claimed.ReadResponse(), "a gigabyte that is only claimed", 413);
  RawClient chunked(Tasks());
  chunked.Write("POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "100000\r\n" + std::string(1 << 20, ' ') + "\r\n";
  for (int i = 0; i < 16 && chunked.Write(chunk); ++i) {
  }
  ExpectRefusal(chunked.ReadResponse(), "chunks without an end", 413);
}

TEST_F(Hostile, MethodsNobodyAsksFor) {
  for (const std::string method : {"TRACE", "CONNECT", "BREW", "get", "DELETE", "PUT", "PATCH"}) {
    const RawResponse response = Exchange(Tasks(), method + " /api/v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n");
    ExpectRefusal(response, method);
  }
  const RawResponse refused = Exchange(Tasks(), "DELETE /api/v1/tasks HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.Field("Allow"), "GET, HEAD, POST, OPTIONS");
}

TEST_F(Hostile, ClientsThatLeaveInTheMiddle) {
  const std::string request = Post("/api/v1/tasks", R"({"type":"health_check"})");
  for (std::size_t length = 1; length < request.size(); length += 7) {
    RawClient client(Tasks());
    client.Write(std::string_view(request).substr(0, length));
    if (length % 2 == 0) client.Reset();
  }
}

TEST_F(Hostile, EveryOperationRefusesWhatItCannotRead) {
  for (Caller* caller : {&platform_->services(), &platform_->tasks()}) {
    const Reply document = caller->Get("/openapi.json");
    for (const auto& path : document.Object("paths")) {
      std::string target(path.key());
      if (const std::size_t open = target.find('{'); open != std::string::npos) {
        target.replace(open, target.find('}') - open + 1, "0123");
      }
      for (const auto& method : path.value().as_object()) {
        if (!method.value().as_object().contains("requestBody")) continue;
        std::string verb(method.key());
        for (char& c : verb) c = static_cast<char>(c - 'a' + 'A');
        for (const auto& [body, status] : {std::pair<std::string, int>{"{\"no_such_field\":1}", 422},
                                           {"{", 400},
                                           {"[]", 422},
                                           {"{\"a\":" + Repeat("[", 100) + Repeat("]", 100) + "}", 400}}) {
          ExpectRefusal(
              Exchange(caller->port(), fmt::format("{} {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", verb,
                                                   target, body.size(), body)),
              verb + " " + target + " " + body, status);
        }
      }
    }
  }
}

}  // namespace
}  // namespace seedcore::test
