#include "base/json_binding.h"

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/shorten.h"

namespace seedcore::binding {
namespace {

constexpr std::size_t kMaxShownName = 128;

}  // namespace

bool ReadBool(const json::value& in, bool& out, ReadError& error) {
  if (!in.is_bool()) return error.Expected("true or false", in);
  out = in.get_bool();
  return true;
}

bool ReadDouble(const json::value& in, double& out, ReadError& error) {
  if (!in.is_number()) return error.Expected("a number", in);
  out = JsonToDouble(in);
  return true;
}

bool ReadString(const json::value& in, std::string& out, ReadError& error) {
  if (!in.is_string()) return error.Expected("a string", in);
  out.assign(in.get_string().data(), in.get_string().size());
  return true;
}

bool ReadTime(const json::value& in, WallTime& out, ReadError& error) {
  if (!in.is_string()) return error.Expected("a time as an RFC 3339 string", in);
  const auto time = ParseRfc3339(in.get_string());
  if (!time) return error.Set(time.error().message);
  out = *time;
  return true;
}

bool ReadInteger(const json::value& in, std::int64_t min, std::uint64_t max, std::int64_t& out_signed,
                 std::uint64_t& out_unsigned, ReadError& error) {
  const auto out_of_range = [&] { return error.Expected(fmt::format("an integer from {} to {}", min, max), in); };
  if (in.is_int64() || (in.is_uint64())) {
    if (in.is_uint64()) {
      if (in.get_uint64() > max) return out_of_range();
      out_unsigned = in.get_uint64();
      out_signed = static_cast<std::int64_t>(out_unsigned);
      return true;
    }
    const std::int64_t value = in.get_int64();
    if (value < min || (value > 0 && static_cast<std::uint64_t>(value) > max)) return out_of_range();
    out_signed = value;
    out_unsigned = static_cast<std::uint64_t>(value);
    return true;
  }
  // 3.0 is an integer to many JSON writers.
  constexpr double kExactLimit = 9007199254740992.0;  // 2^53
  if (in.is_double() && std::trunc(in.get_double()) == in.get_double() && std::abs(in.get_double()) <= kExactLimit) {
    return ReadInteger(json::value(static_cast<std::int64_t>(in.get_double())), min, max, out_signed, out_unsigned,
                       error);
  }
  return error.Expected("an integer", in);
}

bool UnknownName(std::string_view name, const std::vector<std::string_view>& known, ReadError& error) {
  // The client chose it: it may be as long as the document.
  error.path = Shortened(name, kMaxShownName);
  const auto nearest = NearestName(name, known);
  if (nearest) return error.Set(fmt::format("unknown field; did you mean '{}'?", *nearest));
  if (known.empty()) return error.Set("unknown field; none is expected here");
  return error.Set(fmt::format("unknown field; known are {}", fmt::join(known, ", ")));
}

bool UnknownEnum(const json::value& in, const std::vector<std::string_view>& known, ReadError& error) {
  return error.Expected(fmt::format("one of {}", fmt::join(known, ", ")), in);
}

void WriteName(std::string& out, std::string_view name, bool& first) {
  if (!first) out += ',';
  first = false;
  out += '"';
  out += name;
  out += "\":";
}

}  // namespace seedcore::binding
