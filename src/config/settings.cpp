#include "config/settings.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace sebring::config {
namespace {

constexpr auto kSettings = std::to_array<Setting>({
    {"data-dir", Kind::path, "/var/lib/sebring",
     "Everything that lasts: database, disks of sandboxes, profile. One server per directory.", &Config::data_dir},
    {"listen", Kind::address, "127.0.0.1:3000",
     "Where the API, the toolbox proxy and previews are served. Port 0 picks a free one.", &Config::listen},
    {"public-url", Kind::url, "",
     "How clients reach this server; stands in answers. Derived from listen: http://localhost:PORT on a loopback "
     "address.",
     &Config::public_url},
    {"preview-domain", Kind::domain, "",
     "Previews are PORT-ID.DOMAIN. Derived: preview.localhost with the port of public-url.", &Config::preview_domain},
    {"ssh-listen", Kind::listener, "",
     "Where the SSH gateway is. Derived: port 2222 beside listen, or any free one when another program has that.",
     &Config::ssh_listen},
    {"tls-listen", Kind::listener, "off", "The same as listen, by HTTPS.", &Config::tls_listen},
    {"tls-certificate", Kind::path, "",
     "PEM chain for tls-listen; read again when it changes. The control user reads it.", &Config::tls_certificate},
    {"tls-key", Kind::path, "", "PEM key of that certificate, readable for the control user only.", &Config::tls_key},
    {"trusted-proxies", Kind::ranges, "", "Proxies in front of this server whose X-Forwarded headers are believed.",
     &Config::trusted_proxies},
    {"run-dir", Kind::path, "",
     "Sockets and what is gone after a reboot; must be on a tmpfs. Derived: /run/sebring/INSTANCE.", &Config::run_dir},
    {"pool-dir", Kind::path, "", "Disks of sandboxes and image layers. Derived: DATA-DIR/pool.", &Config::pool_dir},
    {"pool-size-gib", Kind::integer, "20",
     "Size of the pool's loop file when pool-dir is not on btrfs; it takes space as it is used.",
     &Config::pool_size_gib, 2, 1 << 20},
    {"images", Kind::path, "",
     "Directory with the prepared default snapshot (config.json, layer.tar.zst). Derived: DATA-DIR/images.",
     &Config::images},
    {"slots", Kind::integer, "16", "Prepared sandboxes waiting to be used; each takes about 0.7 MiB.", &Config::slots,
     0, 4096},
    {"dns", Kind::addresses, "",
     "Name servers that sandboxes ask, separated by commas. Derived: those of the host that are not its own.",
     &Config::dns},
    {"sandbox-network", Kind::network, "",
     "IPv4 network from which sandboxes get addresses. Derived: a free /16 of 100.64.0.0/10.",
     &Config::sandbox_network},
    {"default-snapshot", Kind::text, "daytona-small", "Used when a create names none.", &Config::default_snapshot},
    {"cpus-per-sandbox-max", Kind::integer, "4", "Most CPUs that one sandbox may have.", &Config::cpus_per_sandbox_max,
     1, 1024},
    {"memory-gib-per-sandbox-max", Kind::integer, "8", "Most memory that one sandbox may have.",
     &Config::memory_gib_per_sandbox_max, 1, 1 << 16},
    {"disk-gib-per-sandbox-max", Kind::integer, "10", "Largest disk that one sandbox may have.",
     &Config::disk_gib_per_sandbox_max, 1, 1 << 20},
    {"patience", Kind::integer, "1",
     "Factor on how long the server waits for its own parts when it starts and stops; for very slow machines.",
     &Config::patience, 1, 100},
    {"pids-per-sandbox-max", Kind::integer, "1024", "Most processes and threads in one sandbox.",
     &Config::pids_per_sandbox_max, 16, 1 << 22},
    {"creates-at-once", Kind::integer, "32", "Creates and forks that are worked on at the same time.",
     &Config::creates_at_once, 1, 4096},
    {"creates-waiting-max", Kind::integer, "1000",
     "Creates and forks that wait for their turn; more are refused with 503 and Retry-After.",
     &Config::creates_waiting_max, 0, 100'000},
    {"wake-stopped", Kind::boolean, "false",
     "A preview, a toolbox call or an SSH login starts a stopped sandbox. Its label sebring.wake (true, false) goes "
     "before.",
     &Config::wake_stopped},
    {"preview-warning", Kind::boolean, "false",
     "Browsers see a page that warns of what strangers may have put there before they see a preview, once a day.",
     &Config::preview_warning},
    {"cpus-total-max", Kind::integer, "0", "CPUs of all running sandboxes together; 0 is no limit.",
     &Config::cpus_total_max, 0, 1 << 20},
    {"memory-gib-total-max", Kind::integer, "0", "Memory of all running sandboxes together; 0 is no limit.",
     &Config::memory_gib_total_max, 0, 1 << 20},
    {"disk-gib-total-max", Kind::integer, "0", "Disks of all sandboxes together; 0 is no limit.",
     &Config::disk_gib_total_max, 0, 1 << 24},
    {"stop-sandboxes-on-exit", Kind::boolean, "true",
     "Stop running sandboxes when the server stops cleanly; their disks stay. With false they go on running and are "
     "adopted by the next start.",
     &Config::stop_sandboxes_on_exit},
    {"control-user", Kind::name, "sebring", "System user of the control process; made when missing.",
     &Config::control_user},
    {"import-user", Kind::name, "sebring-import", "System user that unpacks images; made when missing.",
     &Config::import_user},
    {"toolbox", Kind::path, "", "The in-sandbox daemon. Derived: sebring-toolbox beside this executable.",
     &Config::toolbox},
    {"toolbox-git", Kind::path, "", "Its git helper. Derived: sebring-toolbox-git beside this executable.",
     &Config::toolbox_git},
    {"log-level", Kind::choice, "info", "What is written to standard error.", &Config::log_level, 0, 0,
     "debug info warning error"},
});

}  // namespace

std::span<const Setting> settings() { return kSettings; }

const Setting* find_setting(std::string_view name) {
  for (const Setting& setting : kSettings)
    if (setting.name == name) return &setting;
  return nullptr;
}

std::string environment_name(const Setting& setting) {
  std::string out = "SEBRING_";
  for (char c : setting.name) out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return out;
}

std::string allowed_values(const Setting& setting) {
  switch (setting.kind) {
    case Kind::text:
      return "one line of text";
    case Kind::path:
      return "an absolute path";
    case Kind::address:
      return "HOST:PORT, for example 127.0.0.1:3000 or [::1]:3000";
    case Kind::listener:
      return "HOST:PORT or off";
    case Kind::ranges:
      return "addresses and networks separated by commas";
    case Kind::url:
      return "http://HOST[:PORT] or https://HOST[:PORT]";
    case Kind::domain:
      return "a host name with an optional port";
    case Kind::addresses:
      return "addresses separated by commas";
    case Kind::network:
      return "an IPv4 network from /8 to /16, such as 10.64.0.0/16";
    case Kind::name:
      return "a user name";
    case Kind::choice: {
      std::string out = "one of";
      for (std::string_view choice : split(setting.choices, ' ')) out += " " + std::string(choice);
      return out;
    }
    case Kind::integer:
      return std::to_string(setting.min) + " to " + std::to_string(setting.max);
    case Kind::boolean:
      return "true or false";
  }
  std::unreachable();
}

void assign(Config& config, const Setting& setting, std::string_view normalised) {
  if (auto text = std::get_if<std::string Config::*>(&setting.member)) {
    config.** text = std::string(normalised);
  } else if (auto number = std::get_if<std::int64_t Config::*>(&setting.member)) {
    config.** number = parse_integer(normalised).value();
  } else {
    config.*std::get<bool Config::*>(setting.member) = normalised == "true";
  }
}

}  // namespace sebring::config
