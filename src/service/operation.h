#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json_fast.h"
#include "base/json_schema.h"
#include "net/http.h"

/// Operation tables. A service is a class with methods `Result<Response> Method(const Request&, const CallContext&)`;
/// one table per service binds method, path, request and response. The HTTP routes, the OpenAPI document and the typed
/// client (Peer, in peer.h) are all made from it, so that a client and a server can't disagree.
///
///     OperationTable<EnergyService> EnergyOperations() {
///       return {"/energy", "Energy: ...",
///               {Post<&EnergyService::ComputeEnergy>("/compute-energy", "Energy of a unified state, term by term"),
///                Get<&EnergyService::Health>("/health", "What this service can serve now").Open()}};
///     }
///
/// Requests: the JSON body (POST, PUT, PATCH; an empty body is `{}`), or the query (GET, DELETE), plus path parameters,
/// all bound to the request's fields by name. Responses: 200, or what the response's `int HttpStatus() const` says.
/// Errors: the status of their code, with the JSON path.
/// A method that also takes a `const std::shared_ptr<net::EventStream>&` and returns Result<void> answers with
/// server-sent events for as long as the client listens: Stream<&TaskService::StreamEvents, TaskEventRead>(...).
namespace seedcore::service {

/// Request of an operation that takes nothing. Unknown query parameters and members are still refused.
struct Empty {
  static constexpr auto kFields = Fields();
};

/// One operation without its types: what routing and documentation need.
struct OperationInfo {
  net::Method method = net::Method::kGet;
  std::string path;     ///< below the prefix, may hold {parameters}
  std::string name;     ///< "ComputeEnergy"
  std::string summary;  ///< one line for people
  net::Execution execution = net::Execution::kPool;
  bool requires_auth = true;
  bool streams = false;       ///< server-sent events whose data are of `response_schema`
  const void* key = nullptr;  ///< identifies the member function
  json::object (*request_schema)(json::object& definitions) = nullptr;
  json::object (*response_schema)(json::object& definitions) = nullptr;
};

template <class Service>
struct Operation {
  OperationInfo info;
  Result<net::Response> (*handle)(Service& service, const net::Request& request) = nullptr;  ///< this one,
  /// or, where the operation streams, this one
  Result<void> (*stream)(Service& service, const net::Request& request,
                         const std::shared_ptr<net::EventStream>& stream) = nullptr;

  /// Runs on the I/O thread: only for work that takes microseconds and never blocks.
  Operation Inline() && {
    info.execution = net::Execution::kInline;
    return std::move(*this);
  }
  /// Answered without a token: probes.
  Operation Open() && {
    info.requires_auth = false;
    return std::move(*this);
  }
};

template <class Service>
struct OperationTable {
  std::string prefix;  ///< "/energy"
  std::string title;
  std::vector<Operation<Service>> operations;
  std::string alias_prefix;  ///< answered too, not documented; empty: none
};

namespace operation_internal {

template <class Method>
struct MethodTraits;
template <class ServiceT, class RequestT, class ResponseT>
struct MethodTraits<Result<ResponseT> (ServiceT::*)(const RequestT&, const CallContext&)> {
  using Service = ServiceT;
  using Request = RequestT;
  using Response = ResponseT;
};
template <class ServiceT, class RequestT, class ResponseT>
struct MethodTraits<Result<ResponseT> (ServiceT::*)(const RequestT&, const CallContext&) const>
    : MethodTraits<Result<ResponseT> (ServiceT::*)(const RequestT&, const CallContext&)> {};

template <class ServiceT, class RequestT>
struct MethodTraits<Result<void> (ServiceT::*)(const RequestT&, const CallContext&,
                                               const std::shared_ptr<net::EventStream>&)> {
  using Service = ServiceT;
  using Request = RequestT;
};

template <auto Member>
inline constexpr char kKey = 0;

/// "ComputeEnergy" for &EnergyService::ComputeEnergy, from the compiler's own spelling.
template <auto Member>
constexpr std::string_view MemberName() {
  constexpr std::string_view pretty = __PRETTY_FUNCTION__;
  constexpr std::string_view marker = "Member = ";
  constexpr std::size_t start = pretty.find(marker) + marker.size();
  constexpr std::string_view member = pretty.substr(start, pretty.find_first_of(";]", start) - start);
  return member.substr(member.rfind("::") + 2);
}

/// How the text of a query or path parameter becomes JSON for a field of type T.
enum class TextKind { kText, kList, kJson };

template <class T>
constexpr TextKind TextKindOf() {
  if constexpr (binding::IsOptional<T>::value) {
    return TextKindOf<typename T::value_type>();
  } else if constexpr (binding::IsVector<T>::value) {
    return TextKind::kList;
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, WallTime> || NamedEnum<T>) {
    return TextKind::kText;
  } else {
    return TextKind::kJson;
  }
}

struct TextField {
  std::string_view name;
  TextKind kind;
};

template <class T>
std::vector<TextField> TextFields() {
  return T::kFields.Apply([](const auto&... field) {
    return std::vector<TextField>{
        TextField{field.name, TextKindOf<std::remove_cvref_t<decltype(std::declval<T>().*(field.member))>>()}...};
  });
}

/// The document the request struct is read from: body or query, with path parameters laid over it.
Result<json::value> RequestDocument(const net::Request& request, const std::vector<TextField>& fields);
/// The same for a stream; the Last-Event-ID of a client that comes back is the field `after`.
Result<json::value> StreamRequestDocument(const net::Request& request, const std::vector<TextField>& fields);
/// Whether the body is the whole request, so that it can be bound as it is.
bool BodyIsRequest(const net::Request& request);

template <class Request>
Result<Request> ReadRequest(const net::Request& request) {
  if (BodyIsRequest(request)) return FromJsonTextFast<Request>(request.body);
  SEEDCORE_ASSIGN_OR_RETURN(const json::value document, RequestDocument(request, TextFields<Request>()));
  return FromJson<Request>(document);
}

template <auto Member>
Result<net::Response> Handle(typename MethodTraits<decltype(Member)>::Service& service, const net::Request& http) {
  using Request = typename MethodTraits<decltype(Member)>::Request;
  SEEDCORE_ASSIGN_OR_RETURN(const Request request, ReadRequest<Request>(http));
  SEEDCORE_ASSIGN_OR_RETURN(const auto response, (service.*Member)(request, http.call));
  int status = 200;
  if constexpr (requires { response.HttpStatus(); }) status = response.HttpStatus();
  return net::JsonResponse(ToJsonText(response), status);
}

template <auto Member>
Result<void> HandleStream(typename MethodTraits<decltype(Member)>::Service& service, const net::Request& http,
                          const std::shared_ptr<net::EventStream>& stream) {
  using Request = typename MethodTraits<decltype(Member)>::Request;
  SEEDCORE_ASSIGN_OR_RETURN(const json::value document, StreamRequestDocument(http, TextFields<Request>()));
  SEEDCORE_ASSIGN_OR_RETURN(const Request request, FromJson<Request>(document));
  return (service.*Member)(request, http.call, stream);
}

template <auto Member, class Response>
OperationInfo Inform(net::Method method, std::string_view path, std::string_view summary) {
  return {.method = method,
          .path = std::string(path),
          .name = std::string(MemberName<Member>()),
          .summary = std::string(summary),
          .key = &kKey<Member>,
          .request_schema = &binding::Schema<typename MethodTraits<decltype(Member)>::Request>,
          .response_schema = &binding::Schema<Response>};
}

template <auto Member>
auto Make(net::Method method, std::string_view path, std::string_view summary) {
  using Traits = MethodTraits<decltype(Member)>;
  Operation<typename Traits::Service> operation;
  operation.info = Inform<Member, typename Traits::Response>(method, path, summary);
  operation.handle = &Handle<Member>;
  return operation;
}

}  // namespace operation_internal

template <auto Member>
auto Get(std::string_view path, std::string_view summary) {
  return operation_internal::Make<Member>(net::Method::kGet, path, summary);
}
template <auto Member>
auto Post(std::string_view path, std::string_view summary) {
  return operation_internal::Make<Member>(net::Method::kPost, path, summary);
}
template <auto Member>
auto Put(std::string_view path, std::string_view summary) {
  return operation_internal::Make<Member>(net::Method::kPut, path, summary);
}
template <auto Member>
auto Patch(std::string_view path, std::string_view summary) {
  return operation_internal::Make<Member>(net::Method::kPatch, path, summary);
}
template <auto Member>
auto Delete(std::string_view path, std::string_view summary) {
  return operation_internal::Make<Member>(net::Method::kDelete, path, summary);
}

/// A stream of server-sent events whose data are Events.
template <auto Member, class Event>
auto Stream(std::string_view path, std::string_view summary) {
  Operation<typename operation_internal::MethodTraits<decltype(Member)>::Service> operation;
  operation.info = operation_internal::Inform<Member, Event>(net::Method::kGet, path, summary);
  operation.info.streams = true;
  operation.stream = &operation_internal::HandleStream<Member>;
  return operation;
}

/// The HTTP routes of a table, with what `answer` adds to each: a handler, or whatever else is to answer.
template <class Service, class Answer>
std::vector<net::Route> RoutesAnsweredBy(const OperationTable<Service>& table, Answer answer) {
  std::vector<net::Route> routes;
  for (const Operation<Service>& operation : table.operations) {
    for (const std::string* prefix : {&table.prefix, &table.alias_prefix}) {
      if (prefix == &table.alias_prefix && prefix->empty()) continue;
      net::Route route;
      route.method = operation.info.method;
      route.pattern = *prefix + operation.info.path;
      // "/" below a prefix is the prefix itself; the router takes a trailing slash as none.
      if (route.pattern.size() > 1 && route.pattern.ends_with('/')) route.pattern.pop_back();
      route.execution = operation.info.execution;
      route.requires_auth = operation.info.requires_auth;
      answer(operation, route);
      routes.push_back(std::move(route));
    }
  }
  return routes;
}

/// The same, answered in place. `service` must outlive them.
template <class Service>
std::vector<net::Route> Routes(const OperationTable<Service>& table, Service& service) {
  return RoutesAnsweredBy(table, [&service](const Operation<Service>& operation, net::Route& route) {
    if (operation.stream != nullptr) {
      route.stream = [stream = operation.stream, &service](const net::Request& request,
                                                           const std::shared_ptr<net::EventStream>& events) {
        return stream(service, request, events);
      };
      return;
    }
    route.handler = [handle = operation.handle, &service](const net::Request& request) {
      auto response = handle(service, request);
      return response ? std::move(*response) : net::ErrorResponse(response.error());
    };
  });
}

/// A request as it goes over the wire: path with its parameters and query filled in, and the body.
struct RemoteRequest {
  std::string path;
  std::string body;
};
/// The inverse of reading a request: `request_json` is the request struct as JSON text.
[[nodiscard]] Result<RemoteRequest> MakeRemoteRequest(const OperationInfo& operation, std::string request_json);

/// One service's part of the API document.
struct ServiceInfo {
  std::string prefix;
  std::string title;
  std::vector<OperationInfo> operations;
};

template <class Service>
ServiceInfo Describe(const OperationTable<Service>& table) {
  ServiceInfo info{table.prefix, table.title, {}};
  for (const Operation<Service>& operation : table.operations) info.operations.push_back(operation.info);
  return info;
}

/// OpenAPI 3.1 document of the given services.
[[nodiscard]] json::object OpenApiDocument(const std::vector<ServiceInfo>& services, std::string_view title,
                                           std::string_view version);
/// The same as a Markdown page, for docs/api.md.
[[nodiscard]] std::string ApiMarkdown(const std::vector<ServiceInfo>& services);

}  // namespace seedcore::service
