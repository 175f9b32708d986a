#include "net/http.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/shorten.h"

namespace seedcore::net {
namespace {

struct MethodRow {
  Method method;
  std::string_view name;
};
constexpr std::array kMethods = {
    MethodRow{Method::kGet, "GET"},         MethodRow{Method::kHead, "HEAD"},   MethodRow{Method::kPost, "POST"},
    MethodRow{Method::kPut, "PUT"},         MethodRow{Method::kPatch, "PATCH"}, MethodRow{Method::kDelete, "DELETE"},
    MethodRow{Method::kOptions, "OPTIONS"},
};

constexpr char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string_view ToString(Method method) { return kMethods[static_cast<std::size_t>(method)].name; }

std::optional<Method> ParseMethod(std::string_view name) {
  for (const MethodRow& row : kMethods) {
    if (row.name == name) return row.method;
  }
  return std::nullopt;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

std::optional<std::string_view> Headers::Find(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (field.size() == name.size() && EqualsIgnoreCase(field, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Request::QueryParam(const std::string& name) const {
  const auto found = query.find(name);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

Response ErrorResponse(const Error& error) {
  // Errors quote what was sent, which may be as long as a body.
  constexpr std::size_t kMaxMessage = 1500;
  constexpr std::size_t kMaxPath = 300;
  Response response;
  response.status = HttpStatus(error.code);
  response.body = R"({"error":{"code":)";
  AppendJsonString(response.body, ToString(error.code));
  response.body += R"(,"message":)";
  AppendJsonString(response.body, Shortened(error.message, kMaxMessage));
  response.body += R"(,"path":)";
  AppendJsonString(response.body, Shortened(error.path, kMaxPath));
  response.body += "}}";
  return response;
}

Response JsonResponse(std::string body, int status) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

}  // namespace seedcore::net
