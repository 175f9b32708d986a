#include "net/response_parser.h"

#include <optional>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "net/chunked.h"

namespace seedcore::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using beast::error_code;

constexpr std::uint32_t kMaxHeaderBytes = 64 * 1024;
constexpr std::size_t kMaxFields = 256;

class ResponseSink final : public http::basic_parser<false> {
 public:
  ResponseSink(bool head_only, std::size_t max_body_bytes, Response& response) : response_(response) {
    eager(false);
    skip(head_only);
    header_limit(kMaxHeaderBytes);
    body_limit(max_body_bytes);
  }

  ChunkPosition chunks;

 private:
  void on_request_impl(http::verb, beast::string_view, beast::string_view, int, error_code&) override {}

  void on_response_impl(int status, beast::string_view, int, error_code&) override { response_.status = status; }

  void on_field_impl(http::field field, beast::string_view name, beast::string_view value, error_code& ec) override {
    if (is_header_done()) return;
    if (response_.headers.All().size() == kMaxFields) {
      ec = http::error::header_limit;
      return;
    }
    if (field == http::field::content_type) response_.content_type.assign(value.data(), value.size());
    response_.headers.Add({name.data(), name.size()}, {value.data(), value.size()});
  }

  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, error_code&) override { return Keep(body); }
  void on_chunk_header_impl(std::uint64_t size, beast::string_view, error_code&) override { chunks.EnterChunk(size); }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override {
    chunks.Read(body.size());
    return Keep(body);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t Keep(beast::string_view body) {
    response_.body.append(body.data(), body.size());
    return body.size();
  }

  Response& response_;
};

Error Translate(error_code ec) {
  if (ec == http::error::body_limit) return {ErrorCode::kPayloadTooLarge, "the response is too large", {}};
  return {ErrorCode::kUnavailable, "not an HTTP response: " + ec.message(), {}};
}

}  // namespace

class ResponseParser::Impl {
 public:
  Impl(bool head, std::size_t max_body) : head_only(head), max_body_bytes(max_body) { Restart(); }

  void Restart() {
    response = Response{};
    response.content_type.clear();
    sink.emplace(head_only, max_body_bytes, response);
  }

  const bool head_only;
  const std::size_t max_body_bytes;
  Response response;
  std::optional<ResponseSink> sink;
  bool started = false;
};

ResponseParser::ResponseParser(bool head_only, std::size_t max_body_bytes)
    : impl_(std::make_unique<Impl>(head_only, max_body_bytes)) {}
ResponseParser::~ResponseParser() = default;

Result<ResponseParser::State> ResponseParser::Feed(std::string_view bytes, std::size_t& consumed) {
  consumed = 0;
  while (consumed < bytes.size()) {
    impl_->started = true;
    const bool in_header = !impl_->sink->is_header_done();
    error_code ec;
    const std::string_view rest = bytes.substr(consumed);
    if (!in_header && impl_->sink->chunked() && impl_->sink->chunks.MustWait(rest.size())) return State::kNeedMore;
    consumed += impl_->sink->put({rest.data(), rest.size()}, ec);
    if (ec && ec != http::error::need_more) return std::unexpected(Translate(ec));
    if (impl_->sink->is_done()) {
      if (impl_->response.status / 100 != 1) return State::kDone;
      impl_->Restart();
      continue;
    }
    if (in_header && impl_->sink->is_header_done()) return State::kHeader;
    if (ec == http::error::need_more) return State::kNeedMore;
  }
  return State::kNeedMore;
}

Result<ResponseParser::State> ResponseParser::End() {
  error_code ec;
  if (impl_->sink->got_some()) {
    impl_->sink->put_eof(ec);
    if (!ec) return State::kDone;
  }
  return Fail(ErrorCode::kUnavailable,
              impl_->started ? "the connection ended inside a response" : "the connection ended before a response");
}

Response& ResponseParser::response() { return impl_->response; }
bool ResponseParser::keep_alive() const { return impl_->sink->keep_alive(); }
bool ResponseParser::Started() const { return impl_->started; }

}  // namespace seedcore::net
