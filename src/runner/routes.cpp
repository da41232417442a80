#include "runner/routes.h"

#include <boost/json.hpp>

#include "os/features.h"
#include "os/file.h"

namespace sebring::runner {

namespace bj = boost::json;

namespace {

constexpr std::size_t kBodyBytesMax = 1 << 20;

const char* kind_name(image::PoolKind kind) {
  switch (kind) {
    case image::PoolKind::btrfs:
      return "btrfs";
    case image::PoolKind::loop:
      return "btrfs-loop";
    case image::PoolKind::directories:
      break;
  }
  return "directories";
}

std::uint64_t machine_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

bj::array feature_list(const Routes& parts) {
  bj::array list;
  auto& host = parts.host;
  if (host.firewall()) list.emplace_back("network");
  if (host.pool().hard_limits()) list.emplace_back("disk-limit");
  if (host.pool().kind() != image::PoolKind::directories) list.emplace_back("instant-fork");
  if (host.cgroups().version() == 2) list.emplace_back("cgroup2");
  if (host.toolbox_git() >= 0) list.emplace_back("git");
  return list;
}

Result<bj::object> info(const Routes& parts) {
  SB_TRY(auto space, parts.host.pool().space());
  bj::object object{{"version", parts.version},
                    {"bootId", parts.host.boot_id()},
                    {"cpus", parts.host.cpus().count()},
                    {"memoryBytes", machine_memory()},
                    {"pool", bj::object{{"totalBytes", space.total_bytes},
                                        {"freeBytes", space.free_bytes},
                                        {"kind", kind_name(parts.host.pool().kind())}}},
                    {"slots", bj::object{{"ready", parts.slots.ready()},
                                         {"wanted", parts.slots.wanted()},
                                         {"disks", parts.slots.waiting_disks()}}},
                    {"cleaning", parts.cleanup.pending()},
                    {"features", feature_list(parts)}};
  bj::array complaints;
  if (!parts.host.pool().complaint().empty()) complaints.emplace_back("pool: " + parts.host.pool().complaint());
  if (!parts.host.network_complaint().empty()) complaints.emplace_back("network: " + parts.host.network_complaint());
  object["complaints"] = std::move(complaints);
  return object;
}

bj::object usage_json(const Usage& usage) {
  return {{"cpuNanoseconds", usage.groups.cpu_nanoseconds},
          {"memoryBytes", usage.groups.memory_bytes},
          {"memoryPeakBytes", usage.groups.memory_peak_bytes},
          {"memoryLimitBytes", usage.groups.memory_limit_bytes},
          {"oomKills", usage.groups.oom_kills},
          {"pids", usage.groups.pids},
          {"diskBytes", usage.disk_bytes}};
}

// Answers with what the operation gave.
asio::awaitable<void> respond(net::Exchange& exchange, Result<bj::object> result) {
  (void)co_await exchange.respond(result ? answer(*result) : error_answer(result.error()));
}

Result<bj::object> nothing(Result<void> result) {
  if (!result) return std::unexpected(std::move(result).error());
  return bj::object{};
}

// A body is read whole, parsed by `Parse`, and handed on with the path's id.
template <class Parse, class Operation>
net::RouteHandler with_body(Parse parse, Operation operation) {
  return [parse, operation](net::Exchange& exchange, const net::PathParameters& path) -> asio::awaitable<void> {
    std::string id = path["id"];
    auto body = co_await exchange.read_all(kBodyBytesMax);
    if (!body) co_return co_await respond(exchange, std::unexpected(std::move(body).error()));
    auto parsed = parse(*body);
    if (!parsed) co_return co_await respond(exchange, std::unexpected(std::move(parsed).error()));
    co_await respond(exchange, co_await operation(std::move(id), std::move(*parsed)));
  };
}

template <class Operation>
net::RouteHandler without_body(Operation operation) {
  auto ignore = [](std::string_view) -> Result<int> { return 0; };
  return with_body(ignore, [operation](std::string id, int) { return operation(std::move(id)); });
}

using Answer = asio::awaitable<Result<bj::object>>;

void add_sandbox_routes(net::Router& router, Routes& parts) {
  Sandboxes& all = parts.sandboxes;
  router.add("GET", "/v1/sandboxes",
             [&all](net::Exchange& exchange, const net::PathParameters&) -> asio::awaitable<void> {
               bj::array list;
               for (auto& report : all.reports()) list.push_back(std::move(report));
               co_await respond(exchange, bj::object{{"sandboxes", std::move(list)}});
             });
  const std::string one = "/v1/sandboxes/{id}";
  router.add("GET", one, without_body([&all](std::string id) -> Answer { co_return all.report(id); }));
  router.add("PUT", one, with_body(parse_spec, [&all](std::string id, Spec spec) {
               return all.ensure_running(std::move(id), std::move(spec));
             }));
  router.add("DELETE", one,
             without_body([&all](std::string id) -> Answer { co_return nothing(co_await all.remove(std::move(id))); }));
  router.add("POST", one + "/stop",
             with_body(parse_stop, [&all](std::string id, StopOrder order) { return all.stop(std::move(id), order); }));
  router.add("POST", one + "/limits", with_body(parse_limits, [&all](std::string id, LimitsChange change) {
               return all.set_limits(std::move(id), change);
             }));
  router.add("POST", one + "/network", with_body(parse_network, [&all](std::string id, runtime::NetworkPolicy policy) {
               return all.set_network(std::move(id), std::move(policy));
             }));
  router.add("POST", one + "/pause",
             without_body([&all](std::string id) { return all.set_paused(std::move(id), true); }));
  router.add("POST", one + "/resume",
             without_body([&all](std::string id) { return all.set_paused(std::move(id), false); }));
  router.add("GET", one + "/usage", without_body([&all](std::string id) -> Answer {
               SB_CO_TRY(auto usage, co_await all.usage(std::move(id)));
               co_return usage_json(usage);
             }));
}

void add_disk_routes(net::Router& router, Routes& parts) {
  Sandboxes& all = parts.sandboxes;
  const std::string one = "/v1/sandboxes/{id}";
  router.add("POST", one + "/fork", with_body(parse_fork, [&all](std::string id, ForkOrder order) {
               return all.fork(std::move(id), std::move(order));
             }));
  router.add("POST", one + "/snapshot",
             with_body(parse_snapshot_name, [&all](std::string id, std::string name) -> Answer {
               SB_CO_TRY(auto made, co_await all.snapshot(std::move(id), std::move(name)));
               co_return bj::object{{"layer", made.name}, {"bytes", made.bytes}};
             }));
  router.add("DELETE", "/v1/snapshots/{id}", without_body([&all](std::string name) -> Answer {
               if (!image::is_pool_name(name)) co_return fail(Errc::invalid_argument, "not a name of a snapshot");
               co_return nothing(co_await all.remove_snapshot(std::move(name)));
             }));
  router.add("POST", one + "/archive",
             with_body(parse_archive_path, [&all](std::string id, std::string path) -> Answer {
               SB_CO_TRY(auto made, co_await all.archive(std::move(id), std::move(path)));
               co_return bj::object{{"bytes", made.bytes}, {"sha256", made.sha256}};
             }));
  router.add("GET", "/v1/copies", [&all](net::Exchange& exchange, const net::PathParameters&) -> asio::awaitable<void> {
    auto copies = co_await all.copies();
    if (!copies) co_return co_await respond(exchange, std::unexpected(std::move(copies).error()));
    co_await respond(exchange, bj::object{{"snapshots", bj::value_from(copies->snapshots)},
                                          {"archives", bj::value_from(copies->archives)}});
  });
  router.add("DELETE", "/v1/archives/{id}", without_body([&all](std::string path) -> Answer {
               if (!is_plain_path(path) || path.contains('/'))
                 co_return fail(Errc::invalid_argument, "not a name of an archive");
               co_return nothing(co_await all.remove_archive(std::move(path)));
             }));
  router.add("POST", one + "/restore", with_body(parse_restore, [&all](std::string id, RestoreOrder order) {
               return all.restore(std::move(id), std::move(order));
             }));
}

void add_image_routes(net::Router& router, Routes& parts) {
  Images& images = parts.images;
  router.add("GET", "/v1/images",
             [&images](net::Exchange& exchange, const net::PathParameters&) -> asio::awaitable<void> {
               co_await respond(exchange, co_await images.list());
             });
  router.add("PUT", "/v1/images/{id}", with_body(parse_import, [&images](std::string digest, ImportOrder order) {
               return images.import(std::move(digest), std::move(order));
             }));
  router.add("DELETE", "/v1/images/{id}", without_body([&images](std::string digest) -> Answer {
               co_return nothing(co_await images.remove(std::move(digest)));
             }));
}

}  // namespace

void add_routes(net::Router& router, Routes& parts) {
  router.add("GET", "/v1/info", [&parts](net::Exchange& exchange, const net::PathParameters&) -> asio::awaitable<void> {
    co_await respond(exchange, info(parts));
  });
  router.add("GET", "/v1/events",
             [&parts](net::Exchange& exchange, const net::PathParameters&) -> asio::awaitable<void> {
               co_await parts.events.serve(exchange);
             });
  add_sandbox_routes(router, parts);
  add_disk_routes(router, parts);
  add_image_routes(router, parts);
}

}  // namespace sebring::runner
