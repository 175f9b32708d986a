#include "net/request_parser.h"

#include <algorithm>

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <fmt/format.h>

#include "base/strings.h"
#include "net/chunked.h"

namespace seedcore::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using beast::error_code;

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

/// Writes what Beast's parser finds straight into our own structures.
class RequestSink final : public http::basic_parser<true> {
 public:
  RequestSink(const ServerLimits& limits, Request& request, RequestHead& head)
      : limits_(limits), request_(request), head_(head) {
    eager(false);
    header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    body_limit(limits.body_bytes);
  }

  bool discard_body = false;
  std::string complaint;        ///< why we refused what Beast would take
  std::size_t header_size = 0;  ///< header bytes consumed so far
  ChunkPosition chunks;

 private:
  error_code Refuse(std::string why) {
    complaint = std::move(why);
    return http::error::bad_value;
  }

  void on_request_impl(http::verb, beast::string_view method, beast::string_view target, int version,
                       error_code&) override {
    head_.method = View(method);
    head_.target = View(target);
    head_.http11 = version >= 11;
  }

  void on_response_impl(int, beast::string_view, int, error_code&) override {}

  void on_field_impl(http::field field, beast::string_view name, beast::string_view value, error_code& ec) override {
    if (is_header_done()) return;  // trailers must not change a request that was already judged
    if (request_.headers.All().size() == limits_.header_fields) {
      ec = Refuse(fmt::format("more than {} header fields", limits_.header_fields));
      return;
    }
    if (field == http::field::transfer_encoding) ec = CheckTransferEncoding(View(value));
    if (field == http::field::content_length) ec = CheckContentLength(View(value));
    if (field == http::field::host && std::exchange(has_host_, true)) ec = Refuse("more than one Host field");
    if (ec) return;
    if (field == http::field::expect) head_.expects_continue = EqualsIgnoreCase(View(value), "100-continue");
    request_.headers.Add(std::string(View(name)), std::string(View(value)));
  }

  error_code CheckTransferEncoding(std::string_view value) {
    if (!head_.http11) return Refuse("Transfer-Encoding in an HTTP/1.0 request");
    if (!EqualsIgnoreCase(value, "chunked")) return Refuse("the only transfer coding understood is 'chunked'");
    head_.chunked = true;
    return {};
  }

  error_code CheckContentLength(std::string_view value) {
    if (std::exchange(has_length_, true)) return Refuse("more than one Content-Length field");
    if (value.find_first_not_of("0123456789") != std::string_view::npos)
      return Refuse("Content-Length is not a number");
    return {};
  }

  void on_header_impl(error_code& ec) override {
    if (head_.http11 && !has_host_) ec = Refuse("an HTTP/1.1 request needs a Host field");
    const auto length = content_length();
    head_.content_length = length ? static_cast<std::size_t>(*length) : 0;
    head_.has_body = head_.chunked || head_.content_length > 0;
    head_.keep_alive = keep_alive();
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    // A claimed length is not yet memory: no client gets megabytes for a header.
    constexpr std::uint64_t kTrusted = 64 * 1024;
    if (length && !discard_body) request_.body.reserve(static_cast<std::size_t>(std::min(*length, kTrusted)));
  }

  std::size_t on_body_impl(beast::string_view body, error_code&) override { return Keep(body); }

  void on_chunk_header_impl(std::uint64_t size, beast::string_view, error_code&) override { chunks.EnterChunk(size); }

  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override {
    chunks.Read(body.size());
    return Keep(body);
  }

  void on_finish_impl(error_code&) override {}

  std::size_t Keep(beast::string_view body) {
    if (!discard_body) request_.body.append(body.data(), body.size());
    return body.size();
  }

  const ServerLimits& limits_;
  Request& request_;
  RequestHead& head_;
  bool has_host_ = false;
  bool has_length_ = false;
};

/// RFC 9112 forbids folded header lines; Beast joins them.
bool HasFoldedLine(std::string_view header) {
  for (std::size_t at = header.find('\n'); at != std::string_view::npos; at = header.find('\n', at + 1)) {
    if (at + 1 < header.size() && (header[at + 1] == ' ' || header[at + 1] == '\t')) return true;
  }
  return false;
}

}  // namespace

class RequestParser::Impl {
 public:
  explicit Impl(const ServerLimits& l) : limits(l) {}

  Error Translate(error_code ec) const {
    if (ec == http::error::body_limit) {
      return {
          ErrorCode::kPayloadTooLarge, fmt::format("the request body is larger than {} bytes", limits.body_bytes), {}};
    }
    if (ec == http::error::header_limit) return HeaderTooLarge();
    if (!sink->complaint.empty()) return {ErrorCode::kMalformed, sink->complaint, {}};
    return {ErrorCode::kMalformed, "not an HTTP request: " + ec.message(), {}};
  }

  Error HeaderTooLarge() const {
    return {ErrorCode::kMalformed, fmt::format("the request header is larger than {} bytes", limits.header_bytes), {}};
  }

  const ServerLimits& limits;
  RequestHead head;
  std::optional<RequestSink> sink;
};

RequestParser::RequestParser(const ServerLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

void RequestParser::Start(Request& request) {
  request.headers.Clear();
  request.body.clear();
  RequestHead& head = impl_->head;
  head.method.clear();
  head.target.clear();
  head.http11 = head.keep_alive = true;
  head.has_body = head.chunked = head.expects_continue = false;
  head.content_length = 0;
  impl_->sink.emplace(impl_->limits, request, head);
}

Result<RequestParser::State> RequestParser::Feed(std::string_view bytes, std::size_t& consumed) {
  RequestSink& sink = *impl_->sink;
  consumed = 0;
  if (!sink.got_some()) {
    // An empty line before a request is to be ignored (RFC 9112 2.2).
    while (bytes.substr(consumed).starts_with("\r\n")) consumed += 2;
    if (bytes.substr(consumed) == "\r") return State::kNeedMore;
  }
  while (consumed < bytes.size()) {
    const bool in_header = !sink.is_header_done();
    error_code ec;
    const std::string_view rest = bytes.substr(consumed);
    if (!in_header && sink.chunked() && sink.chunks.MustWait(rest.size())) return State::kNeedMore;
    const std::size_t used = sink.put({rest.data(), rest.size()}, ec);
    if (in_header) {
      sink.header_size += used;
      if (HasFoldedLine(rest.substr(0, used))) return Fail(ErrorCode::kMalformed, "folded header line");
      if (sink.header_size > impl_->limits.header_bytes) return std::unexpected(impl_->HeaderTooLarge());
    }
    consumed += used;
    if (ec && ec != http::error::need_more) return std::unexpected(impl_->Translate(ec));
    if (sink.is_done()) return State::kDone;
    if (in_header && sink.is_header_done()) return State::kHeader;
    if (ec == http::error::need_more) return State::kNeedMore;
  }
  return State::kNeedMore;
}

void RequestParser::DiscardBody() { impl_->sink->discard_body = true; }

const RequestHead& RequestParser::Head() const { return impl_->head; }

bool RequestParser::Started() const { return impl_->sink && impl_->sink->got_some(); }

}  // namespace seedcore::net
