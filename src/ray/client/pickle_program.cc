#include "ray/client/pickle_program.h"

#include <bit>
#include <charconv>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/shorten.h"
#include "net/target.h"
#include "ray/client/pickle_opcodes.h"
#include "ray/client/pickle_scanner.h"

namespace seedcore::ray {
namespace {

using Kind = PickleNode::Kind;

constexpr std::size_t kMaxGlobalName = 1024;  ///< bytes; classes of Python are named in a few dozen
constexpr std::size_t kMaxShownName = 200;    ///< bytes of a name in a message

/// The stack machine of Python's Lib/pickle.py, restricted. Each opcode is one `Step`.
class Machine {
 public:
  Machine(std::string_view pickle, const PickleLimits& limits, PickleObjects objects)
      : scan_(pickle), limits_(limits), objects_(objects) {}

  Result<PickleGraph> Run() {
    if (scan_.Left() > limits_.max_bytes) {
      return Fail(ErrorCode::kPayloadTooLarge, fmt::format("a pickle of more than {} bytes", limits_.max_bytes));
    }
    while (true) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::uint64_t byte, scan_.Number(1));
      const auto opcode = static_cast<Opcode>(byte);
      if (opcode == Opcode::kStop) break;
      SEEDCORE_RETURN_IF_ERROR(Step(opcode));
    }
    if (!scan_.AtEnd()) return scan_.Damaged("content after the end");
    SEEDCORE_ASSIGN_OR_RETURN(graph_.root, Pop());
    return std::move(graph_);
  }

 private:
  Result<void> Step(Opcode opcode) {
    using enum Opcode;
    switch (opcode) {
      case kProto: return ReadProtocol();
      case kFrame: return ReadFrame();
      case kMark: return PushMark();
      case kPop: return PopOne();
      case kPopMark: return PopMark();
      case kDup: return Duplicate();

      case kNone: return PushNode({.kind = Kind::kNone});
      case kNewTrue: return PushNode({.kind = Kind::kBool, .number = 1});
      case kNewFalse: return PushNode({.kind = Kind::kBool, .number = 0});
      case kInt:
      case kLong: return PushDecimal(opcode);
      case kBinInt: return PushFixed(4, true);
      case kBinInt1: return PushFixed(1, false);
      case kBinInt2: return PushFixed(2, false);
      case kLong1: return PushLong(1);
      case kLong4: return PushLong(4);
      case kFloat: return PushFloatText();
      case kBinFloat: return PushFloatBits();

      case kUnicode: return PushEscapedText();
      case kShortBinUnicode: return PushText(1);
      case kBinUnicode: return PushText(4);
      case kBinUnicode8: return PushText(8);
      case kShortBinBytes: return PushBytes(1);
      case kBinBytes: return PushBytes(4);
      case kBinBytes8:
      case kByteArray8: return PushBytes(8);

      case kEmptyList: return PushNode({.kind = Kind::kList});
      case kEmptyTuple: return PushNode({.kind = Kind::kTuple});
      case kEmptyDict: return PushNode({.kind = Kind::kDict});
      case kList: return Collect(Kind::kList);
      case kTuple: return Collect(Kind::kTuple);
      case kDict: return Collect(Kind::kDict);
      case kTuple1: return CollectTop(1);
      case kTuple2: return CollectTop(2);
      case kTuple3: return CollectTop(3);
      case kAppend: return Extend(Kind::kList, 1);
      case kAppends: return ExtendFromMark(Kind::kList);
      case kSetItem: return Extend(Kind::kDict, 2);
      case kSetItems: return ExtendFromMark(Kind::kDict);

      case kPut: return Remember(LineNumber());
      case kBinPut: return Remember(scan_.Number(1));
      case kLongBinPut: return Remember(scan_.Number(4));
      case kMemoize: return Remember(memo_.size());
      case kGet: return Recall(LineNumber());
      case kBinGet: return Recall(scan_.Number(1));
      case kLongBinGet: return Recall(scan_.Number(4));

      default: return objects_ == PickleObjects::kInert ? StepInert(opcode) : Refuse(opcode);
    }
  }

  /// Classes and objects as descriptions. What an object is called with and its states are its items, whatever they
  /// are.
  Result<void> StepInert(Opcode opcode) {
    using enum Opcode;
    switch (opcode) {
      case kGlobal: {
        SEEDCORE_ASSIGN_OR_RETURN(const std::string_view module, scan_.Line());
        SEEDCORE_ASSIGN_OR_RETURN(const std::string_view name, scan_.Line());
        return PushGlobal(module, name);
      }
      case kStackGlobal: {
        SEEDCORE_ASSIGN_OR_RETURN(const PickleId name, Pop());
        SEEDCORE_ASSIGN_OR_RETURN(const PickleId module, Pop());
        if (graph_[module].kind != Kind::kText || graph_[name].kind != Kind::kText) {
          return scan_.Damaged("a global whose name is no text");
        }
        return PushGlobal(graph_[module].text, graph_[name].text);
      }
      case kReduce:
      case kNewObj: return CollectObject(2);
      case kNewObjEx: return CollectObject(3);
      case kBuild: {
        SEEDCORE_ASSIGN_OR_RETURN(const PickleId state, Pop());
        SEEDCORE_ASSIGN_OR_RETURN(const PickleId object, Top());
        if (graph_[object].kind == Kind::kObject) graph_.nodes[object].items.push_back(state);
        return {};
      }
      case kObj: return Collect(Kind::kObject);
      case kEmptySet: return PushNode({.kind = Kind::kList});
      case kFrozenSet: return Collect(Kind::kTuple);
      case kAddItems: return ExtendFromMark(Kind::kList);
      case kPersId: {
        SEEDCORE_RETURN_IF_ERROR(scan_.Line());
        return PushNode({.kind = Kind::kObject});
      }
      case kBinPersId: {
        SEEDCORE_RETURN_IF_ERROR(Pop());
        return PushNode({.kind = Kind::kObject});
      }
      default: return Refuse(opcode);
    }
  }

  Result<void> Refuse(Opcode opcode) {
    const std::size_t at = scan_.Position() - 1;
    const std::string_view name = OpcodeName(opcode);
    if (name.empty()) return scan_.Damaged(fmt::format("{:#04x}, which is no opcode,", std::to_underlying(opcode)));
    // Which class it is tells the user more than the opcode does.
    std::string what;
    if (opcode == Opcode::kGlobal) {
      if (const auto module = scan_.Line()) {
        if (const auto global = scan_.Line()) what = fmt::format(" {}.{}", *module, *global);
      }
    } else if (opcode == Opcode::kStackGlobal && stack_.size() >= 2) {
      what = fmt::format(" {}.{}", graph_[stack_[stack_.size() - 2]].text, graph_[stack_.back()].text);
    }
    return Fail(ErrorCode::kInvalidArgument, fmt::format("pickle: {}{} at byte {}: only plain data is read, no objects",
                                                         name, Shortened(what, kMaxShownName), at));
  }

  Result<void> ReadProtocol() {
    SEEDCORE_ASSIGN_OR_RETURN(const std::uint64_t protocol, scan_.Number(1));
    if (protocol > 5) return scan_.Damaged(fmt::format("protocol {}, newer than 5,", protocol));
    return {};
  }

  Result<void> ReadFrame() {
    // A frame only says how much may be read ahead; all of it is in memory here.
    SEEDCORE_ASSIGN_OR_RETURN(const std::uint64_t length, scan_.Number(8));
    return length > scan_.Left() ? scan_.Damaged("a frame longer than the pickle") : Result<void>{};
  }

  // Stack.

  Result<void> Push(PickleId id) {
    stack_.push_back(id);
    return {};
  }

  Result<void> PushNode(PickleNode node) {
    if (graph_.nodes.size() >= limits_.max_nodes) {
      return Fail(ErrorCode::kPayloadTooLarge, fmt::format("a pickle of more than {} values", limits_.max_nodes));
    }
    graph_.nodes.push_back(std::move(node));
    return Push(static_cast<PickleId>(graph_.nodes.size() - 1));
  }

  Result<void> PushMark() {
    marks_.push_back(stack_.size());
    return {};
  }

  /// Values below the last mark belong to it and cannot be taken.
  [[nodiscard]] std::size_t Available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  Result<PickleId> Top() {
    if (Available() == 0) return scan_.Damaged("an empty stack");
    return stack_.back();
  }

  Result<PickleId> Pop() {
    SEEDCORE_ASSIGN_OR_RETURN(const PickleId id, Top());
    stack_.pop_back();
    return id;
  }

  /// POP also takes a mark that nothing follows.
  Result<void> PopOne() {
    if (Available() == 0 && !marks_.empty()) {
      marks_.pop_back();
      return {};
    }
    SEEDCORE_RETURN_IF_ERROR(Pop());
    return {};
  }

  Result<void> PopMark() {
    SEEDCORE_RETURN_IF_ERROR(PopToMark());
    return {};
  }

  Result<void> Duplicate() {
    SEEDCORE_ASSIGN_OR_RETURN(const PickleId id, Top());
    return Push(id);
  }

  Result<std::vector<PickleId>> PopMany(std::size_t count) {
    if (Available() < count) return scan_.Damaged("too few values on the stack");
    const auto first = stack_.end() - static_cast<std::ptrdiff_t>(count);
    std::vector<PickleId> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    return items;
  }

  Result<std::vector<PickleId>> PopToMark() {
    if (marks_.empty()) return scan_.Damaged("no mark on the stack");
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopMany(Available()));
    marks_.pop_back();
    return items;
  }

  // Numbers.

  Result<void> PushFixed(std::size_t bytes, bool is_signed) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::uint64_t raw, scan_.Number(bytes));
    const auto number = is_signed ? std::int64_t{static_cast<std::int32_t>(raw)} : static_cast<std::int64_t>(raw);
    return PushNode({.kind = Kind::kInt, .number = number});
  }

  Result<void> PushUnsigned(std::uint64_t number) {
    return PushNode({.kind = std::in_range<std::int64_t>(number) ? Kind::kInt : Kind::kUint,
                     .number = static_cast<std::int64_t>(number)});
  }

  Result<void> PushOverlong(std::string_view description) {
    if (objects_ == PickleObjects::kInert) return PushNode({.kind = Kind::kText, .text = std::string(description)});
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("pickle: {} before byte {}: at most 64 bits are read", description, scan_.Position()));
  }

  /// INT and LONG of protocol 0. INT "00" and "01" are the truth values, a LONG ends in L.
  Result<void> PushDecimal(Opcode opcode) {
    SEEDCORE_ASSIGN_OR_RETURN(std::string_view line, scan_.Line());
    if (opcode == Opcode::kInt && (line == "00" || line == "01")) {
      return PushNode({.kind = Kind::kBool, .number = line == "01" ? 1 : 0});
    }
    if (opcode == Opcode::kLong && line.ends_with('L')) line.remove_suffix(1);
    std::int64_t number = 0;
    std::uint64_t large = 0;
    const char* const end = line.data() + line.size();
    const auto small_read = std::from_chars(line.data(), end, number);
    if (line.empty() || small_read.ptr != end) return scan_.Damaged("a damaged whole number");
    if (small_read.ec == std::errc{}) return PushNode({.kind = Kind::kInt, .number = number});
    const auto large_read = std::from_chars(line.data(), end, large);
    if (large_read.ec == std::errc{} && large_read.ptr == end) return PushUnsigned(large);
    return PushOverlong(fmt::format("a whole number of {} digits", line.size()));
  }

  /// Two's complement, little-endian, as short as its writer cared to make it.
  Result<void> PushLong(std::size_t width) {
    SEEDCORE_ASSIGN_OR_RETURN(std::string_view bytes, scan_.Sized(width));
    if (bytes.empty()) return PushNode({.kind = Kind::kInt, .number = 0});
    const bool negative = (static_cast<std::uint8_t>(bytes.back()) & 0x80U) != 0;
    const char filler = negative ? '\xff' : '\0';
    std::string_view kept = bytes;
    while (kept.size() > 8 && kept.back() == filler) kept.remove_suffix(1);
    const bool fits_signed = kept.size() <= 8 && (kept.size() < 8 || bytes.size() == 8 ||
                                                  ((static_cast<std::uint8_t>(kept.back()) & 0x80U) != 0) == negative);
    if (kept.size() > 8 || (negative && !fits_signed)) {
      return PushOverlong(fmt::format("a whole number of {} bytes", bytes.size()));
    }
    std::uint64_t number = negative ? ~std::uint64_t{0} : 0;
    for (std::size_t i = kept.size(); i-- > 0;) number = number << 8 | static_cast<std::uint8_t>(kept[i]);
    if (!negative) return PushUnsigned(number);
    return PushNode({.kind = Kind::kInt, .number = static_cast<std::int64_t>(number)});
  }

  Result<void> PushFloatText() {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string_view line, scan_.Line());
    double number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (line.empty() || error != std::errc{} || end != line.data() + line.size()) {
      return scan_.Damaged("a damaged float");
    }
    return PushNode({.kind = Kind::kFloat, .real = number});
  }

  Result<void> PushFloatBits() {
    // The one number that is big-endian.
    SEEDCORE_ASSIGN_OR_RETURN(const std::string_view bytes, scan_.Bytes(8));
    std::uint64_t bits = 0;
    for (const char byte : bytes) bits = bits << 8 | static_cast<std::uint8_t>(byte);
    return PushNode({.kind = Kind::kFloat, .real = std::bit_cast<double>(bits)});
  }

  Result<std::uint64_t> LineNumber() {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string_view line, scan_.Line());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (line.empty() || error != std::errc{} || end != line.data() + line.size()) {
      return scan_.Damaged("a damaged memo number");
    }
    return number;
  }

  // Text and bytes.

  Result<void> PushText(std::size_t width) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string_view text, scan_.Sized(width));
    if (!net::IsUtf8(text)) return scan_.Damaged("a text that is not UTF-8");
    return PushNode({.kind = Kind::kText, .text = std::string(text)});
  }

  Result<void> PushEscapedText() {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string_view line, scan_.Line());
    SEEDCORE_ASSIGN_OR_RETURN(std::string text, DecodeRawUnicodeEscape(line));
    return PushNode({.kind = Kind::kText, .text = std::move(text)});
  }

  Result<void> PushBytes(std::size_t width) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::string_view bytes, scan_.Sized(width));
    return PushNode({.kind = Kind::kBytes, .text = std::string(bytes)});
  }

  Result<void> PushGlobal(std::string_view module, std::string_view name) {
    // A name is copied for each global, and a few bytes of pickle make another one of it.
    if (module.size() + name.size() > kMaxGlobalName) return scan_.Damaged("a global with an endless name");
    return PushNode({.kind = Kind::kGlobal, .text = fmt::format("{}.{}", module, name)});
  }

  // Containers.

  Result<void> PushContainer(Kind kind, std::vector<PickleId> items) {
    if (kind == Kind::kDict && items.size() % 2 != 0) return scan_.Damaged("a dict key without a value");
    return PushNode({.kind = kind, .items = std::move(items)});
  }

  Result<void> Collect(Kind kind) {
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopToMark());
    return PushContainer(kind, std::move(items));
  }

  Result<void> CollectTop(std::size_t count) {
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopMany(count));
    return PushContainer(Kind::kTuple, std::move(items));
  }

  Result<void> CollectObject(std::size_t count) {
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<PickleId> items, PopMany(count));
    return PushContainer(Kind::kObject, std::move(items));
  }

  Result<void> Extend(Kind kind, std::size_t count) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<PickleId> items, PopMany(count));
    return AppendTo(kind, items);
  }

  Result<void> ExtendFromMark(Kind kind) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<PickleId> items, PopToMark());
    if (kind == Kind::kDict && items.size() % 2 != 0) return scan_.Damaged("a dict key without a value");
    return AppendTo(kind, items);
  }

  Result<void> AppendTo(Kind kind, const std::vector<PickleId>& items) {
    SEEDCORE_ASSIGN_OR_RETURN(const PickleId container, Top());
    PickleNode& node = graph_.nodes[container];
    // A subclass of list or dict: what it holds does not matter to a description.
    if (node.kind == Kind::kObject) return {};
    if (node.kind != kind) return scan_.Damaged("items for something that is no list or dict");
    node.items.insert(node.items.end(), items.begin(), items.end());
    return {};
  }

  // Memo.

  Result<void> Remember(Result<std::uint64_t> index) {
    if (!index) return std::unexpected(index.error());
    SEEDCORE_ASSIGN_OR_RETURN(const PickleId id, Top());
    if (memo_.size() >= limits_.max_memo) {
      return Fail(ErrorCode::kPayloadTooLarge,
                  fmt::format("a pickle that names more than {} values", limits_.max_memo));
    }
    memo_[*index] = id;
    return {};
  }

  Result<void> Recall(const Result<std::uint64_t>& index) {
    if (!index) return std::unexpected(index.error());
    const auto found = memo_.find(*index);
    if (found == memo_.end()) return scan_.Damaged("a memo number that is not set");
    return Push(found->second);
  }

  PickleScanner scan_;
  PickleLimits limits_;
  PickleObjects objects_;
  PickleGraph graph_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint64_t, PickleId> memo_;
};

}  // namespace

Result<PickleGraph> RunPickle(std::string_view pickle, const PickleLimits& limits, PickleObjects objects) {
  return Machine(pickle, limits, objects).Run();
}

}  // namespace seedcore::ray
