#include "service/facts.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxTextBytes = 65'536;
constexpr std::size_t kMaxTags = 64;
constexpr int kMaxFacts = 1000;
constexpr int kMaxOffset = 100'000;

Result<void> CheckText(const std::string& text) {
  if (!Trim(text).empty() && text.size() <= kMaxTextBytes) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} bytes", kMaxTextBytes), "text");
}

FactRead ToFactRead(store::Fact fact) {
  return {std::move(fact.id),        std::move(fact.text), std::move(fact.tags),
          std::move(fact.meta_data), fact.created_at,      fact.updated_at};
}

}  // namespace

Result<void> FactCreate::Validate() const {
  SEEDCORE_RETURN_IF_ERROR(CheckText(text));
  if (tags.size() <= kMaxTags) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} tags", kMaxTags), "tags");
}

Result<void> FactListQuery::Validate() const {
  if (limit < 1 || limit > kMaxFacts) return Fail(ErrorCode::kInvalidArgument, "expected 1 to 1000", "limit");
  if (offset < 0 || offset > kMaxOffset) return Fail(ErrorCode::kInvalidArgument, "expected 0 to 100000", "offset");
  return {};
}

Result<FactRead> FactService::Add(const FactCreate& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto fact, facts_.Add({request.text, request.tags, request.meta_data}));
  return ToFactRead(std::move(fact));
}

Result<FactList> FactService::List(const FactListQuery& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto facts, facts_.Search({request.q, request.tag, request.limit, request.offset}));
  FactList list;
  SEEDCORE_ASSIGN_OR_RETURN(list.total, facts_.Count());
  for (store::Fact& fact : facts) list.items.push_back(ToFactRead(std::move(fact)));
  return list;
}

Result<FactRead> FactService::Get(const FactId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto fact, facts_.Get(request.id));
  return ToFactRead(std::move(fact));
}

Result<FactRead> FactService::Update(const FactPatch& request, const CallContext&) {
  if (request.text) SEEDCORE_RETURN_IF_ERROR(CheckText(*request.text));
  SEEDCORE_ASSIGN_OR_RETURN(const auto known, facts_.Get(request.id));
  SEEDCORE_ASSIGN_OR_RETURN(auto fact, facts_.Update(known.id, request.text, request.tags, request.meta_data));
  return ToFactRead(std::move(fact));
}

Result<FactDeleted> FactService::Remove(const FactId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto known, facts_.Get(request.id));
  SEEDCORE_RETURN_IF_ERROR(facts_.Delete(known.id));
  return FactDeleted{known.id};
}

OperationTable<FactService> FactOperations() {
  return {"/api/v1",
          "Facts: what retrieval and reasoning may draw on",
          {
              Post<&FactService::Add>("/facts", "Stores a fact"),
              Get<&FactService::List>("/facts", "Facts, searched and paged"),
              Get<&FactService::Get>("/facts/{id}", "One fact, by id or unique prefix"),
              Patch<&FactService::Update>("/facts/{id}", "Changes the given parts of a fact"),
              Delete<&FactService::Remove>("/facts/{id}", "Deletes a fact"),
          },
          ""};
}

}  // namespace seedcore::service
