// The two list queries of SandboxStore: conditions put together from what was asked, values always bound.
#include <variant>

#include "base/text.h"
#include "store/sandbox_row.h"
#include "store/sandbox_store.h"

namespace sebring::store {
namespace {

using Value = std::variant<std::int64_t, std::string>;

void bind_all(db::Query& query, const std::vector<Value>& values) {
  for (const Value& value : values) {
    std::visit([&](const auto& v) { query.bind(v); }, value);
  }
}

class Conditions {
 public:
  void add(std::string_view condition) { sql_ += (sql_.empty() ? "WHERE " : " AND ") + std::string(condition); }
  void add(std::string_view condition, Value value) {
    add(condition);
    values_.push_back(std::move(value));
  }
  void value(Value value) { values_.push_back(std::move(value)); }
  void any_of(std::string_view column, const std::vector<std::string>& choices) {
    if (choices.empty()) return;
    add(std::string(column) + " IN (" + placeholders(choices.size()) + ")");
    for (const std::string& choice : choices) values_.push_back(choice);
  }
  void range(std::string_view column, std::optional<std::int64_t> min, std::optional<std::int64_t> max) {
    if (min) add(std::string(column) + ">=?", *min);
    if (max) add(std::string(column) + "<=?", *max);
  }
  const std::string& sql() const { return sql_; }
  void bind_to(db::Query& query) const { bind_all(query, values_); }

 private:
  std::string sql_;
  std::vector<Value> values_;
};

std::string like_prefix(std::string_view text) {
  std::string pattern;
  for (char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

Conditions conditions_of(const SandboxFilter& f) {
  Conditions c;
  c.add("organization_id=?", f.organization_id);
  c.add("visible<>'destroyed'");
  if (!f.with_errored_deleted) c.add("NOT (visible IN ('error', 'build_failed') AND desired='destroyed')");
  if (!f.id_prefix.empty()) c.add("id LIKE ? ESCAPE '\\'", like_prefix(f.id_prefix));
  if (!f.name_prefix.empty()) c.add("name LIKE ? ESCAPE '\\'", like_prefix(f.name_prefix));
  for (const auto& [key, value] : f.labels) {
    c.add("id IN (SELECT sandbox_id FROM sandbox_labels WHERE organization_id=? AND key=? AND value=?)",
          f.organization_id);
    c.value(key);
    c.value(value);
  }
  std::vector<std::string> states;
  for (model::SandboxState state : f.states) states.emplace_back(model::to_text(state));
  c.any_of("visible", states);
  c.any_of("snapshot", f.snapshots);
  c.any_of("region_id", f.region_ids);
  c.any_of("sandbox_class", f.classes);
  c.range("cpu", f.cpu_min, f.cpu_max);
  c.range("gpu", f.gpu_min, f.gpu_max);
  c.range("memory", f.memory_min, f.memory_max);
  c.range("disk", f.disk_min, f.disk_max);
  if (f.is_public) c.add("public=?", std::int64_t{*f.is_public});
  if (f.is_recoverable) c.add("recoverable=?", std::int64_t{*f.is_recoverable});
  c.range("created_at", f.created_after, f.created_before);
  c.range("last_activity_at", f.active_after, f.active_before);
  c.range("auto_destroy_at", f.destroy_after, f.destroy_before);
  return c;
}

const char* column_of(SandboxSort sort) {
  switch (sort) {
    case SandboxSort::id:
      return "id";
    case SandboxSort::name:
      return "name";
    case SandboxSort::state:
      return "visible";
    case SandboxSort::snapshot:
      return "snapshot";
    case SandboxSort::region:
      return "region_id";
    case SandboxSort::updated_at:
      return "updated_at";
    case SandboxSort::created_at:
      return "created_at";
    case SandboxSort::last_activity_at:
      return "last_activity_at";
    case SandboxSort::cpu:
      return "cpu";
    case SandboxSort::memory:
      return "memory";
    case SandboxSort::disk:
      return "disk";
  }
  return "id";
}

Cursor cursor_of(const model::Sandbox& s, SandboxSort sort) {
  switch (sort) {
    case SandboxSort::name:
      return {s.name, s.id};
    case SandboxSort::cpu:
      return {std::to_string(s.resources.cpu), s.id};
    case SandboxSort::memory:
      return {std::to_string(s.resources.memory_gib), s.id};
    case SandboxSort::disk:
      return {std::to_string(s.resources.disk_gib), s.id};
    case SandboxSort::created_at:
      return {std::to_string(s.created_at), s.id};
    default:
      return {std::to_string(s.last_activity_at), s.id};
  }
}

// (column, id) beyond the cursor, so that the index is entered where the last page ended.
Result<void> add_cursor(Conditions& conditions, const CursorQuery& query) {
  if (!query.after) return {};
  const std::string condition =
      std::string("(") + column_of(query.sort) + ", id) " + (query.ascending ? ">" : "<") + " (?, ?)";
  if (query.sort == SandboxSort::name) {
    conditions.add(condition, query.after->value);
  } else {
    auto number = parse_integer(query.after->value);
    if (!number) return fail(Errc::invalid_argument, "Invalid cursor provided: " + query.after->value);
    conditions.add(condition, *number);
  }
  conditions.value(query.after->id);
  return {};
}

Result<std::vector<model::Sandbox>> read_all(db::Query& query) {
  std::vector<model::Sandbox> items;
  for (;;) {
    SB_TRY(bool row, query.step());
    if (!row) return items;
    items.push_back(read_sandbox(query));
  }
}

// Which rows come into question, read from an index alone; all of `conditions` still have to hold.
struct Candidates {
  std::string sql;  // gives `id`
  std::vector<Value> values;
};

std::vector<Candidates> candidates_of(const SandboxFilter& f) {
  std::vector<Candidates> all;
  for (const auto& [key, value] : f.labels) {
    all.push_back({"SELECT sandbox_id AS id FROM sandbox_labels WHERE organization_id=? AND key=? AND value=?",
                   {f.organization_id, key, value}});
  }
  if (!f.states.empty()) {
    Candidates by_state{
        "SELECT id FROM sandboxes INDEXED BY sandboxes_state WHERE organization_id=? AND "
        "visible<>'destroyed' AND visible IN (" +
            placeholders(f.states.size()) + ")",
        {f.organization_id}};
    for (model::SandboxState state : f.states) by_state.values.emplace_back(std::string(model::to_text(state)));
    all.push_back(std::move(by_state));
  }
  auto by_prefix = [&](const char* column, std::string_view prefix) {
    if (prefix.empty()) return;
    all.push_back(
        {"SELECT id FROM sandboxes INDEXED BY sandboxes_state WHERE organization_id=? AND "
         "visible<>'destroyed' AND " +
             std::string(column) + " LIKE ? ESCAPE '\\'",
         {f.organization_id, like_prefix(prefix)}});
  };
  by_prefix("name", f.name_prefix);
  by_prefix("id", f.id_prefix);
  return all;
}

// The fewest, where they are few enough that fetching and sorting them beats going through all rows in order.
Result<std::optional<Candidates>> few_candidates(db::Connection& reader, const SandboxFilter& filter) {
  constexpr std::int64_t kFew = 2'000;
  std::optional<Candidates> best;
  std::int64_t least = kFew;
  for (Candidates& some : candidates_of(filter)) {
    SB_TRY(auto query, reader.query("SELECT count(*) FROM (" + some.sql + " LIMIT " + std::to_string(kFew) + ")"));
    bind_all(query, some.values);
    SB_CHECK(query.step());
    if (query.integer(0) >= least) continue;
    least = query.integer(0);
    best = std::move(some);
  }
  return best;
}

// CROSS JOIN: the planner keeps the order of the two.
std::string from(const std::optional<Candidates>& few) {
  return few ? "FROM (" + few->sql + ") AS few CROSS JOIN sandboxes USING (id) " : "FROM sandboxes ";
}

Result<CursorPage> read_page(db::Connection& reader, const SandboxFilter& filter, const CursorQuery& asked) {
  Conditions conditions = conditions_of(filter);
  SB_CHECK(add_cursor(conditions, asked));
  SB_TRY(const auto few, few_candidates(reader, filter));
  const char* direction = asked.ascending ? " ASC" : " DESC";
  const std::string sql = "SELECT " SANDBOX_COLUMNS " " + from(few) + conditions.sql() + " ORDER BY " +
                          column_of(asked.sort) + direction + ", id" + direction + " LIMIT ?";
  SB_TRY(auto query, reader.query(sql));
  if (few) bind_all(query, few->values);
  conditions.bind_to(query);
  query.bind(asked.limit + 1);  // one more tells whether there is a next page
  CursorPage page;
  SB_TRY(page.items, read_all(query));
  if (static_cast<std::int64_t>(page.items.size()) > asked.limit) {
    page.items.pop_back();
    page.next = cursor_of(page.items.back(), asked.sort);
  }
  return page;
}

Result<NumberedPage> read_page(db::Connection& reader, const SandboxFilter& filter, const NumberedQuery& asked) {
  const Conditions conditions = conditions_of(filter);
  SB_TRY(const auto few, few_candidates(reader, filter));
  NumberedPage page;
  {
    SB_TRY(auto query, reader.query("SELECT count(*) " + from(few) + conditions.sql()));
    if (few) bind_all(query, few->values);
    conditions.bind_to(query);
    SB_CHECK(query.step());
    page.total = query.integer(0);
  }
  const char* direction = asked.ascending ? " ASC" : " DESC";
  const std::string sql = "SELECT " SANDBOX_COLUMNS " " + from(few) + conditions.sql() + " ORDER BY " +
                          column_of(asked.sort) + direction + ", id" + direction + " LIMIT ? OFFSET ?";
  SB_TRY(auto query, reader.query(sql));
  if (few) bind_all(query, few->values);
  conditions.bind_to(query);
  query.bind(asked.limit);
  query.bind((asked.page - 1) * asked.limit);
  SB_TRY(page.items, read_all(query));
  return page;
}

template <class Page, class Asked>
asio::awaitable<Result<Page>> read_aside(db::Aside& aside, SandboxFilter filter, Asked asked) {
  auto page = std::make_shared<Page>();
  SB_CO_CHECK(co_await aside.run(
      [page, filter = std::move(filter), asked = std::move(asked)](db::Connection& reader) -> Result<void> {
        SB_TRY(*page, read_page(reader, filter, asked));
        return {};
      }));
  co_return std::move(*page);
}

}  // namespace

asio::awaitable<Result<CursorPage>> SandboxStore::list(SandboxFilter filter, CursorQuery asked) {
  return read_aside<CursorPage>(*aside_, std::move(filter), std::move(asked));
}

asio::awaitable<Result<NumberedPage>> SandboxStore::list_numbered(SandboxFilter filter, NumberedQuery asked) {
  return read_aside<NumberedPage>(*aside_, std::move(filter), asked);
}

}  // namespace sebring::store
