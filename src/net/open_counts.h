#pragma once
// How many of something each name has open, so that one cannot take all: requests by sandbox, connections by peer.
#include <memory>
#include <string>
#include <unordered_map>

namespace sebring::net {

class OpenCounts {
 public:
  explicit OpenCounts(std::size_t each_max) : each_max_(each_max), counts_(std::make_shared<Counts>()) {}

  // False when the name has reached its limit; else counts until it is destroyed.
  class Hold;
  Hold hold(const std::string& name);

 private:
  using Counts = std::unordered_map<std::string, std::size_t>;
  std::size_t each_max_;
  std::shared_ptr<Counts> counts_;
};

class OpenCounts::Hold {
 public:
  Hold() = default;
  Hold(Hold&& other) noexcept : counts_(std::move(other.counts_)), name_(std::move(other.name_)) {
    other.counts_.reset();
  }
  Hold& operator=(Hold&&) = delete;
  ~Hold() {
    if (!counts_) return;
    const auto found = counts_->find(name_);
    if (found != counts_->end() && --found->second == 0) counts_->erase(found);
  }
  explicit operator bool() const { return counts_ != nullptr; }

 private:
  friend class OpenCounts;
  std::shared_ptr<Counts> counts_;
  std::string name_;
};

inline OpenCounts::Hold OpenCounts::hold(const std::string& name) {
  Hold hold;
  std::size_t& count = (*counts_)[name];
  if (count >= each_max_) return hold;
  ++count;
  hold.counts_ = counts_;
  hold.name_ = name;
  return hold;
}

}  // namespace sebring::net
