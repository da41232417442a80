#pragma once
// How many requests and tunnels each sandbox has open, so that the visitors of one cannot take the whole server.
#include <memory>
#include <string>
#include <unordered_map>

namespace sebring::proxy {

class OpenCounts {
 public:
  // 40 % of the connections that one listener accepts.
  explicit OpenCounts(std::size_t each_max = 4'000) : each_max_(each_max), counts_(std::make_shared<Counts>()) {}

  // False when the sandbox has reached its limit; else counts until it is destroyed.
  class Hold;
  Hold hold(const std::string& sandbox_id);

 private:
  using Counts = std::unordered_map<std::string, std::size_t>;
  std::size_t each_max_;
  std::shared_ptr<Counts> counts_;
};

class OpenCounts::Hold {
 public:
  Hold() = default;
  Hold(Hold&& other) noexcept : counts_(std::move(other.counts_)), sandbox_id_(std::move(other.sandbox_id_)) {
    other.counts_.reset();
  }
  Hold& operator=(Hold&&) = delete;
  ~Hold() {
    if (!counts_) return;
    const auto found = counts_->find(sandbox_id_);
    if (found != counts_->end() && --found->second == 0) counts_->erase(found);
  }
  explicit operator bool() const { return counts_ != nullptr; }

 private:
  friend class OpenCounts;
  std::shared_ptr<Counts> counts_;
  std::string sandbox_id_;
};

inline OpenCounts::Hold OpenCounts::hold(const std::string& sandbox_id) {
  Hold hold;
  std::size_t& count = (*counts_)[sandbox_id];
  if (count >= each_max_) return hold;
  ++count;
  hold.counts_ = counts_;
  hold.sandbox_id_ = sandbox_id;
  return hold;
}

}  // namespace sebring::proxy
