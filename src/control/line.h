#pragma once
// Requests on one sandbox come one after the other. Who comes while another is at work stands in line instead of being
// told to try again; the line is bounded in length and time. Those who only need it to stay as it is may be at work
// together.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/result.h"

namespace sebring::control {

namespace asio = boost::asio;

class Lines {
 public:
  explicit Lines(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  // Being at the head of a line; the next one moves up when it is destroyed, or the last of several. Outlived by Lines.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : lines_(std::exchange(other.lines_, nullptr)), id_(std::move(other.id_)) {}
    Place& operator=(Place&& other) noexcept;
    ~Place() { leave(); }
    void leave();

   private:
    friend class Lines;
    Place(Lines* lines, std::string id) : lines_(lines), id_(std::move(id)) {}
    Lines* lines_ = nullptr;
    std::string id_;
  };

  static constexpr std::size_t kLengthMax = 256;
  // Longer than any holder keeps the head, see kRunnerCallMax in runner_client.h.
  static constexpr std::chrono::milliseconds kWaitMax{40'000};

  enum class Turn {
    in_line,
    first,     // before all who wait, for deletes
    together,  // in line, but at work with others who say so
  };
  // Errc::conflict when the line is full or the wait too long.
  asio::awaitable<Result<Place>> enter(std::string id, Turn turn = Turn::in_line,
                                       std::chrono::milliseconds wait_max = kWaitMax);
  // The head at once, or nothing.
  std::optional<Place> try_enter(const std::string& id, Turn turn = Turn::in_line);
  bool busy(const std::string& id) const { return lines_.contains(id); }

 private:
  struct Waiter;
  struct Line;
  void leave(const std::string& id);
  asio::any_io_executor executor_;
  std::unordered_map<std::string, std::shared_ptr<Line>> lines_;
};

}  // namespace sebring::control
