#include "ray/client/pickle_writer.h"

#include <bit>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "ray/client/pickle_opcodes.h"

namespace seedcore::ray {
namespace {

class Writer {
 public:
  explicit Writer(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  Result<std::string> Write(const PyValue& value) {
    Put(Opcode::kProto);
    // Protocol 2 has no bytes; the reader takes the protocol from the first two bytes, so it is set at the end.
    out_.push_back(2);
    SEEDCORE_RETURN_IF_ERROR(WriteValue(value, 0));
    Put(Opcode::kStop);
    if (has_bytes_) out_[1] = 3;
    return std::move(out_);
  }

 private:
  void Put(Opcode opcode) { out_.push_back(static_cast<char>(opcode)); }

  /// Little-endian, `bytes` of it.
  void PutNumber(std::uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>((number >> (8 * i)) & 0xff));
  }

  Result<void> WriteValue(const PyValue& value, std::size_t depth) {
    if (depth > kMaxPyDepth) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("nested deeper than {} levels", kMaxPyDepth));
    }
    if (out_.size() > max_bytes_) return TooLarge();
    return std::visit([&](const auto& content) { return WriteContent(content, depth); }, value.data);
  }

  Result<void> WriteContent(PyValue::None, std::size_t) {
    Put(Opcode::kNone);
    return {};
  }
  Result<void> WriteContent(bool value, std::size_t) {
    Put(value ? Opcode::kNewTrue : Opcode::kNewFalse);
    return {};
  }
  Result<void> WriteContent(std::int64_t value, std::size_t) {
    if (std::in_range<std::uint8_t>(value)) {
      Put(Opcode::kBinInt1);
      PutNumber(static_cast<std::uint64_t>(value), 1);
    } else if (std::in_range<std::int32_t>(value)) {
      Put(Opcode::kBinInt);
      PutNumber(static_cast<std::uint64_t>(value), 4);
    } else {
      // LONG1 is two's complement with its length in front.
      Put(Opcode::kLong1);
      PutNumber(8, 1);
      PutNumber(static_cast<std::uint64_t>(value), 8);
    }
    return {};
  }
  Result<void> WriteContent(std::uint64_t value, std::size_t) {
    // The ninth byte is the sign.
    Put(Opcode::kLong1);
    PutNumber(9, 1);
    PutNumber(value, 8);
    PutNumber(0, 1);
    return {};
  }
  Result<void> WriteContent(double value, std::size_t) {
    Put(Opcode::kBinFloat);
    // The one opcode whose number is big-endian.
    const auto bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) out_.push_back(static_cast<char>((bits >> shift) & 0xff));
    return {};
  }
  Result<void> WriteContent(const std::string& value, std::size_t) { return WriteSized(Opcode::kBinUnicode, value); }
  Result<void> WriteContent(const PyValue::Bytes& value, std::size_t) {
    has_bytes_ = true;
    return WriteSized(Opcode::kBinBytes, value.data);
  }
  Result<void> WriteContent(const PyValue::List& value, std::size_t depth) {
    Put(Opcode::kEmptyList);
    if (value.empty()) return {};
    Put(Opcode::kMark);
    for (const PyValue& item : value) SEEDCORE_RETURN_IF_ERROR(WriteValue(item, depth + 1));
    Put(Opcode::kAppends);
    return {};
  }
  Result<void> WriteContent(const PyValue::Tuple& value, std::size_t depth) {
    if (value.items.empty()) {
      Put(Opcode::kEmptyTuple);
      return {};
    }
    Put(Opcode::kMark);
    for (const PyValue& item : value.items) SEEDCORE_RETURN_IF_ERROR(WriteValue(item, depth + 1));
    Put(Opcode::kTuple);
    return {};
  }
  Result<void> WriteContent(const PyValue::Dict& value, std::size_t depth) {
    Put(Opcode::kEmptyDict);
    if (value.empty()) return {};
    Put(Opcode::kMark);
    for (const auto& [key, item] : value) {
      SEEDCORE_RETURN_IF_ERROR(WriteSized(Opcode::kBinUnicode, key));
      SEEDCORE_RETURN_IF_ERROR(WriteValue(item, depth + 1));
    }
    Put(Opcode::kSetItems);
    return {};
  }

  Result<void> WriteSized(Opcode opcode, const std::string& content) {
    if (content.size() > max_bytes_ || !std::in_range<std::uint32_t>(content.size())) return TooLarge();
    Put(opcode);
    PutNumber(content.size(), 4);
    out_ += content;
    return out_.size() > max_bytes_ ? TooLarge() : Result<void>{};
  }

  Result<void> TooLarge() const {
    return Fail(ErrorCode::kPayloadTooLarge, fmt::format("the pickled value is larger than {} bytes", max_bytes_));
  }

  std::size_t max_bytes_;
  std::string out_;
  bool has_bytes_ = false;
};

}  // namespace

Result<std::string> WritePickle(const PyValue& value, std::size_t max_bytes) { return Writer(max_bytes).Write(value); }

}  // namespace seedcore::ray
