#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/call_context.h"
#include "base/result.h"

/// HTTP as the rest of SeedCore sees it: plain values, no Asio and no Beast.
namespace seedcore::net {

enum class Method { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };

[[nodiscard]] std::string_view ToString(Method method);
/// nullopt for a method no route can have (TRACE, CONNECT, ...). Methods compare with case.
[[nodiscard]] std::optional<Method> ParseMethod(std::string_view name);

/// Header fields in order. Names compare without case.
class Headers {
 public:
  void Add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// Value of the first field called `name`; nullopt when there is none.
  [[nodiscard]] std::optional<std::string_view> Find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& All() const { return fields_; }
  void Clear() { fields_.clear(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
  Method method = Method::kGet;
  std::string path;                                ///< percent-decoded, dot segments refused, starts with '/'
  std::multimap<std::string, std::string> query;   ///< decoded
  std::map<std::string, std::string> path_params;  ///< filled from the matched pattern, "{id}" -> "id"
  Headers headers;
  std::string body;  ///< complete, de-chunked, gunzipped
  CallContext call;  ///< deadline, stop (client gone), request id, trace, idempotency key
  std::string peer;  ///< "127.0.0.1:53122"

  [[nodiscard]] std::optional<std::string_view> QueryParam(const std::string& name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;
};

/// {"error":{"code","message","path"}} with the status of the error's code.
[[nodiscard]] Response ErrorResponse(const Error& error);
[[nodiscard]] Response JsonResponse(std::string body, int status = 200);

/// Equality without regard to ASCII case, as header names and tokens compare.
[[nodiscard]] bool EqualsIgnoreCase(std::string_view a, std::string_view b);

/// One server-sent-events connection. Thread-safe. The sender never blocks: a client that does not read has its bounded
/// buffer fill up and is disconnected.
class EventStream {
 public:
  virtual ~EventStream() = default;
  /// False once the client has gone, was too slow, or the server is draining.
  virtual bool Send(std::string_view event, std::string_view data, std::string_view id = {}) = 0;
  virtual void Close() = 0;
  /// Called once, on an I/O thread, when the connection has ended for whatever reason.
  virtual void OnClosed(std::function<void()> callback) = 0;
  /// Whether most of the buffer is free. A sender with a lot to say stops when it is not, and goes on when OnRoom
  /// calls.
  virtual bool HasRoom() = 0;
  /// Called, on the thread that writes, whenever the connection has taken all that was sent, until it ends.
  virtual void OnRoom(std::function<void()> callback) = 0;
};

/// Where a handler runs.
enum class Execution {
  kInline,  ///< on the I/O thread: must never block; microseconds of work
  kPool,    ///< on the bounded worker pool: may block until the call's deadline
};

using Handler = std::function<Response(const Request&)>;
/// Accepts the stream, keeps the pointer for as long as it sends, and returns at once. An error becomes the response.
using StreamHandler = std::function<Result<void>(const Request&, std::shared_ptr<EventStream>)>;

class Forwarder;

struct Route {
  Method method = Method::kGet;
  std::string pattern;  ///< literal segments and "{name}" segments: "/api/v1/tasks/{id}/events"
  Execution execution = Execution::kPool;
  Handler handler;       ///< this one,
  StreamHandler stream;  ///< or this one (GET only; runs where `execution` says)
  /// or this one: another server answers, and no thread waits for it (net/forwarder.h). Not with LocalServer. A request
  /// that was forwarded here is not forwarded once more: it gets 503.
  std::shared_ptr<Forwarder> forwarder;
  /// Only with a handler and a forwarder: asked of each request, on the I/O thread; whether the forwarder is to answer.
  /// A request that was forwarded here is the handler's in any case.
  std::function<bool()> forwards;
  bool requires_auth = true;  ///< false for health and metrics probes
};

}  // namespace seedcore::net
