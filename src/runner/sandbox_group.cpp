// Sandboxes linked to one another: a group is a sandbox and those that name it. What the firewall lets through follows
// from who of a group runs.
#include <cstdio>

#include "runner/sandbox_state.h"

namespace sebring::runner {

std::vector<Sandboxes::Handle> Sandboxes::running_group_of(const Sandbox& sandbox) const {
  std::vector<Handle> group;
  const std::string& head = sandbox.record.linked_to.empty() ? sandbox.record.id : sandbox.record.linked_to;
  auto members = linked_.find(head);
  if (members == linked_.end()) return group;
  auto add = [&](const std::string& id) {
    Handle member = find(id);
    if (member && member->container && id != sandbox.record.id) group.push_back(std::move(member));
  };
  add(head);
  for (const std::string& id : members->second) add(id);
  return group;
}

Result<void> Sandboxes::join_group(const Sandbox& sandbox) {
  if (!sandbox.record.linked_to.empty()) linked_[sandbox.record.linked_to].insert(sandbox.record.id);
  std::set<runtime::Index> peers;
  for (const Handle& member : running_group_of(sandbox)) peers.insert(member->container->index);
  auto* firewall = parts_.host.firewall();
  if (peers.empty() || firewall == nullptr) return {};
  if (!netfilter_) {
    SB_TRY(netfilter_, runtime::Firewall::open_netlink());
  }
  return firewall->link(*netfilter_, sandbox.container->index, peers);
}

void Sandboxes::leave_group(const Record& record) {
  auto group = linked_.find(record.linked_to);
  if (group == linked_.end()) return;
  group->second.erase(record.id);
  if (group->second.empty()) linked_.erase(group);
}

void Sandboxes::restore_groups() {
  for (const auto& [id, sandbox] : sandboxes_)
    if (!sandbox->record.linked_to.empty()) linked_[sandbox->record.linked_to].insert(id);
  auto* firewall = parts_.host.firewall();
  if (firewall == nullptr) return;
  runtime::Firewall::Links wanted;
  for (const auto& [head, members] : linked_)
    for (const std::string& id : members)
      if (Handle member = find(id); member && member->container)
        for (const Handle& other : running_group_of(*member)) {
          wanted[member->container->index].insert(other->container->index);
          wanted[other->container->index].insert(member->container->index);
        }
  auto netfilter = runtime::Firewall::open_netlink();
  if (!netfilter) return;
  if (auto kept = firewall->keep_links(*netfilter, wanted); !kept)
    std::fprintf(stderr, "runner: %s\n", kept.error().message().c_str());
}

}  // namespace sebring::runner
