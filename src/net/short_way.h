#pragma once
// A way past the general one for requests that need nothing of it: sent on and answered without an Exchange between.
// What is not taken goes the general way as if nobody had asked.
#include <functional>
#include <memory>
#include <string>

#include "net/stream.h"

namespace sebring::net {

class ClientConnection;
struct RawHead;

// Of one server connection, whose requests come one after the other.
class ShortWay {
 public:
  virtual ~ShortWay() = default;
  // Whether the request, one without a body on a connection that stays, goes this way. Then it has been sent on, and
  // finish() must follow; else nothing has happened. `head` must stand until finish() completes.
  virtual bool begin(const RawHead& head) = 0;
  enum class End {
    answered,  // whole: the connection may carry the next request
    cut,       // it may not
    general,   // nothing was sent to the client: the request goes the general way, on take_asked()
  };
  virtual asio::awaitable<End> finish(ByteStream& client) = 0;
  // On which the request was asked already, with what was read of its answer; nullptr: it has to be asked again.
  virtual std::unique_ptr<ClientConnection> take_asked() = 0;
  // Whether something of the present answer may have been sent.
  virtual bool answers() const = 0;
  // The client has gone: finish() ends soon.
  virtual void client_gone() = 0;
};

// Makes the way of a connection; `peer`: as Exchange::peer(). May be empty.
using MakeShortWay = std::function<std::unique_ptr<ShortWay>(const std::string& peer)>;

}  // namespace sebring::net
