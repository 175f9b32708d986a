#include "service/operation.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::service {
namespace {

bool HasBody(net::Method method) {
  return method == net::Method::kPost || method == net::Method::kPut || method == net::Method::kPatch;
}

/// Text that is no JSON is passed on as a string, so that the binding can say what it expected instead.
json::value ParseOrText(std::string_view text) {
  auto value = ParseJson(text);
  return value ? std::move(*value) : json::value(json::string(text));
}

json::value FromText(std::string_view text, operation_internal::TextKind kind) {
  switch (kind) {
    case operation_internal::TextKind::kText: return json::value(json::string(text));
    case operation_internal::TextKind::kList: {
      json::array items;
      for (const std::string& item : SplitList(text)) items.push_back(ParseOrText(item));
      return items;
    }
    case operation_internal::TextKind::kJson: return ParseOrText(text);
  }
  return nullptr;
}

operation_internal::TextKind KindOf(std::string_view name, const std::vector<operation_internal::TextField>& fields) {
  const auto field = std::ranges::find(fields, name, &operation_internal::TextField::name);
  return field == fields.end() ? operation_internal::TextKind::kText : field->kind;
}

/// The names inside "/tasks/{id}/events".
std::vector<std::string> PathParameters(std::string_view path) {
  std::vector<std::string> names;
  for (std::size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
    const std::size_t close = path.find('}', open);
    if (close == std::string_view::npos) break;
    names.emplace_back(path.substr(open + 1, close - open - 1));
  }
  return names;
}

/// A JSON value as query text; the inverse of FromText.
std::string ToText(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (!value.is_array()) return WriteJson(value);
  std::string joined;
  for (const json::value& item : value.get_array()) {
    if (!joined.empty()) joined += ',';
    joined += ToText(item);
  }
  return joined;
}

std::string_view LowerMethod(net::Method method) {
  switch (method) {
    case net::Method::kGet: return "get";
    case net::Method::kHead: return "head";
    case net::Method::kPost: return "post";
    case net::Method::kPut: return "put";
    case net::Method::kPatch: return "patch";
    case net::Method::kDelete: return "delete";
    case net::Method::kOptions: return "options";
  }
  return "get";
}

/// The struct schema behind a reference, for the places that list its properties.
const json::object* Resolve(const json::object& schema, const json::object& definitions) {
  const auto* reference = schema.if_contains("$ref");
  if (reference == nullptr) return &schema;
  const std::string_view text = reference->get_string();
  const auto* definition = definitions.if_contains(text.substr(text.rfind('/') + 1));
  return definition != nullptr ? definition->if_object() : nullptr;
}

json::array ParameterObjects(const OperationInfo& operation, const json::object& request) {
  json::array parameters;
  const auto path_names = PathParameters(operation.path);
  const auto* properties = request.if_contains("properties");
  if (properties == nullptr) return parameters;
  const auto* required = request.if_contains("required");
  for (const auto& property : properties->get_object()) {
    const bool in_path = std::ranges::find(path_names, std::string_view(property.key())) != path_names.end();
    if (!in_path && HasBody(operation.method)) continue;
    json::object schema = property.value().get_object();
    const json::value description = schema["description"];
    schema.stable_erase("description");
    const bool is_required =
        in_path || (required != nullptr && std::ranges::find(required->get_array(), json::value(property.key())) !=
                                               required->get_array().end());
    parameters.push_back(json::object{{"name", property.key()},
                                      {"in", in_path ? "path" : "query"},
                                      {"required", is_required},
                                      {"description", description},
                                      {"schema", std::move(schema)}});
  }
  if (operation.streams) {
    parameters.push_back(json::object{{"name", "Last-Event-ID"},
                                      {"in", "header"},
                                      {"required", false},
                                      {"description", "As after, sent by browsers that connect again"},
                                      {"schema", {{"type", "string"}}}});
  }
  return parameters;
}

json::object Content(json::object schema) {
  return {{"application/json", json::object{{"schema", std::move(schema)}}}};
}

/// What the answer of 200 is.
json::object Answer(const OperationInfo& operation, json::object& definitions) {
  json::object data = operation.response_schema(definitions);
  if (!operation.streams) return {{"description", "Success"}, {"content", Content(std::move(data))}};
  const std::string_view event = data.at("$ref").get_string();
  return {{"description",
           fmt::format("Events; the data is a {}, the id what `after` takes", event.substr(event.rfind('/') + 1))},
          {"content", {{"text/event-stream", {{"schema", {{"type", "string"}}}}}}}};
}

json::object ErrorSchema() {
  return {
      {"type", "object"},
      {"properties",
       {{"error",
         {{"type", "object"},
          {"properties",
           {{"code", {{"type", "string"}}}, {"message", {{"type", "string"}}}, {"path", {{"type", "string"}}}}}}}}}};
}

/// The first word of the title, lower case: "energy" for "Energy: terms, gradients, ledger".
std::string TagOf(const ServiceInfo& service) {
  const std::string_view name = std::string_view(service.title).substr(0, service.title.find(':'));
  return ToLower(name.substr(0, name.find(' ')));
}

json::object OperationObject(const OperationInfo& operation, const ServiceInfo& service, json::object& definitions) {
  json::object request = operation.request_schema(definitions);
  const json::object* request_struct = Resolve(request, definitions);
  json::object object{{"operationId", fmt::format("{}.{}", TagOf(service), operation.name)},
                      {"summary", operation.summary},
                      {"tags", json::array{json::string(TagOf(service))}}};
  if (request_struct != nullptr) {
    auto parameters = ParameterObjects(operation, *request_struct);
    if (!parameters.empty()) object["parameters"] = std::move(parameters);
  }
  if (HasBody(operation.method)) object["requestBody"] = json::object{{"content", Content(std::move(request))}};
  object["responses"] = json::object{
      {"200", Answer(operation, definitions)},
      {"default", {{"description", "Error"}, {"content", Content({{"$ref", "#/components/schemas/Error"}})}}}};
  if (!operation.requires_auth) object["security"] = json::array{};
  return object;
}

std::string SchemaText(const json::object& schema) {
  if (const auto* reference = schema.if_contains("$ref")) {
    const std::string_view text = reference->get_string();
    const std::string name(text.substr(text.rfind('/') + 1));
    return fmt::format("[{}](#{})", name, ToLower(name));
  }
  if (const auto* choices = schema.if_contains("anyOf")) {
    return SchemaText(choices->get_array().front().get_object()) + " or null";
  }
  if (const auto* names = schema.if_contains("enum")) {
    std::string text;
    for (const json::value& name : names->get_array()) {
      if (!text.empty()) text += ", ";
      text += fmt::format("`{}`", std::string_view(name.get_string()));
    }
    return "one of " + text;
  }
  const auto* type = schema.if_contains("type");
  if (type == nullptr) return "any";
  const std::string_view name = type->get_string();
  if (name == "array") return "array of " + SchemaText(schema.at("items").get_object());
  if (name == "object") {
    if (const auto* values = schema.if_contains("additionalProperties"); values != nullptr && values->is_object()) {
      return "object of " + SchemaText(values->get_object());
    }
  }
  return std::string(name);
}

}  // namespace

namespace operation_internal {

bool BodyIsRequest(const net::Request& request) {
  return HasBody(request.method) && request.path_params.empty() && request.query.empty() && !request.body.empty();
}

Result<json::value> RequestDocument(const net::Request& request, const std::vector<TextField>& fields) {
  json::object document;
  if (HasBody(request.method)) {
    if (!request.body.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(json::value body, ParseJson(request.body));
      if (!body.is_object()) {
        return Fail(ErrorCode::kInvalidArgument, "expected an object, got " + DescribeJson(body));
      }
      document = std::move(body.get_object());
    }
  }
  for (const auto& [name, text] : request.query) {
    if (document.contains(name)) return Fail(ErrorCode::kInvalidArgument, "given more than once", name);
    document[name] = FromText(text, KindOf(name, fields));
  }
  for (const auto& [name, text] : request.path_params) document[name] = FromText(text, KindOf(name, fields));
  return document;
}

Result<json::value> StreamRequestDocument(const net::Request& request, const std::vector<TextField>& fields) {
  SEEDCORE_ASSIGN_OR_RETURN(json::value document, RequestDocument(request, fields));
  if (const auto last = request.headers.Find("Last-Event-ID")) document.get_object()["after"] = ParseOrText(*last);
  return document;
}

}  // namespace operation_internal

Result<RemoteRequest> MakeRemoteRequest(const OperationInfo& operation, std::string request_json) {
  const auto path_names = PathParameters(operation.path);
  if (HasBody(operation.method) && path_names.empty()) return RemoteRequest{operation.path, std::move(request_json)};

  SEEDCORE_ASSIGN_OR_RETURN(json::value parsed, ParseJson(request_json));
  json::object& fields = parsed.get_object();
  RemoteRequest remote;
  std::string_view rest = operation.path;
  for (const std::string& name : path_names) {
    const std::size_t open = rest.find('{');
    remote.path += rest.substr(0, open);
    remote.path += PercentEncode(ToText(fields[name]));
    fields.stable_erase(name);
    rest.remove_prefix(rest.find('}') + 1);
  }
  remote.path += rest;
  if (HasBody(operation.method)) {
    remote.body = WriteJson(parsed);
    return remote;
  }
  char separator = '?';
  for (const auto& field : fields) {
    if (field.value().is_null()) continue;
    remote.path += separator;
    remote.path += PercentEncode(field.key());
    remote.path += '=';
    remote.path += PercentEncode(ToText(field.value()));
    separator = '&';
  }
  return remote;
}

json::object OpenApiDocument(const std::vector<ServiceInfo>& services, std::string_view title,
                             std::string_view version) {
  json::object definitions{{"Error", ErrorSchema()}};
  json::object paths;
  json::array tags;
  for (const ServiceInfo& service : services) {
    tags.push_back(json::object{{"name", TagOf(service)}, {"description", service.title}});
    for (const OperationInfo& operation : service.operations) {
      json::value& path = paths[service.prefix + operation.path];
      if (!path.is_object()) path = json::object();
      path.get_object()[LowerMethod(operation.method)] = OperationObject(operation, service, definitions);
    }
  }
  return {{"openapi", "3.1.0"},
          {"info", {{"title", title}, {"version", version}, {"license", {{"name", "Apache-2.0"}}}}},
          {"tags", std::move(tags)},
          {"security", json::array{json::object{{"bearer", json::array{}}}}},
          {"paths", std::move(paths)},
          {"components",
           {{"schemas", std::move(definitions)},
            {"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

std::string ApiMarkdown(const std::vector<ServiceInfo>& services) {
  json::object definitions;
  std::string text;
  for (const ServiceInfo& service : services) {
    text += fmt::format("## {}\n\n| Operation | Request | Response | |\n|---|---|---|---|\n", service.title);
    for (const OperationInfo& operation : service.operations) {
      text +=
          fmt::format("| `{} {}{}` | {} | {} | {} |\n", net::ToString(operation.method), service.prefix, operation.path,
                      SchemaText(operation.request_schema(definitions)),
                      (operation.streams ? "events, each a " : "") + SchemaText(operation.response_schema(definitions)),
                      operation.summary);
    }
    text += '\n';
  }
  text += "## Types\n\n";
  std::set<std::string> names;
  for (const auto& definition : definitions) names.emplace(definition.key());
  for (const std::string& name : names) {
    const json::object& schema = definitions[name].get_object();
    const json::object& properties = schema.at("properties").get_object();
    if (properties.empty()) {
      text += fmt::format("### {}\n\nNo fields.\n\n", name);
      continue;
    }
    text += fmt::format("### {}\n\n| Field | Type | |\n|---|---|---|\n", name);
    const auto* required = schema.if_contains("required");
    for (const auto& property : properties) {
      const json::object& field = property.value().get_object();
      const bool is_required =
          required != nullptr &&
          std::ranges::find(required->get_array(), json::value(property.key())) != required->get_array().end();
      text += fmt::format("| `{}`{} | {} | {} |\n", std::string_view(property.key()), is_required ? " (required)" : "",
                          SchemaText(field), std::string_view(field.at("description").get_string()));
    }
    text += '\n';
  }
  return text;
}

}  // namespace seedcore::service
