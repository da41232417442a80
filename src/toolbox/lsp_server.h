#pragma once
// One language server of the user's: its process, and requests to it.
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/json/value.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "toolbox/context.h"
#include "toolbox/lsp_framing.h"
#include "toolbox/notifier.h"

namespace sebring::toolbox {

// What is known of a language.
struct LspLanguage {
  std::string id;  // as clients say it
  std::vector<std::string> argv;
  std::vector<std::string> suffixes;  // of its source files
};
// python, typescript, javascript; nullopt for others.
std::optional<LspLanguage> lsp_language(std::string_view id);
// What the protocol calls the language of a file: typescriptreact for .tsx, ...; `otherwise` for unknown suffixes.
std::string lsp_document_language(std::string_view path, std::string_view otherwise);

class LspServer : public std::enable_shared_from_this<LspServer> {
 public:
  // Returns when it is initialized. Errc::unprocessable when it is not installed.
  static asio::awaitable<Result<std::shared_ptr<LspServer>>> start(Context& context, LspLanguage language,
                                                                   std::string project);
  LspServer(Context& context, LspLanguage language);

  // Errc::bad_gateway with the server's own words for an error answer, or when it ended; Errc::timed_out.
  asio::awaitable<Result<boost::json::value>> request(std::string method, boost::json::value params);
  asio::awaitable<Result<void>> notify(std::string method, boost::json::value params);
  // Asks it to end, then ends it and all that it started.
  asio::awaitable<void> stop();

  bool ended() const { return ended_.has_value(); }
  std::string end_text() const;  // "exited with code 1: last words"
  const boost::json::object& capabilities() const { return capabilities_; }
  const LspLanguage& language() const { return language_; }

 private:
  struct Pending {
    explicit Pending(asio::io_context& io) : answered(io) {}
    std::optional<Result<boost::json::value>> answer;
    Notifier answered;
  };
  asio::awaitable<Result<void>> initialize(std::string project);
  asio::awaitable<Result<void>> send(std::string message);
  static asio::awaitable<void> send_goodbye(std::shared_ptr<LspServer> self);
  static asio::awaitable<void> read_messages(std::shared_ptr<LspServer> self);
  static asio::awaitable<void> read_errors(std::shared_ptr<LspServer> self);
  static asio::awaitable<void> watch(std::shared_ptr<LspServer> self);
  Result<void> take(const boost::json::object& message);
  Result<void> answer_server(const boost::json::object& message);
  static asio::awaitable<void> send_answer(std::shared_ptr<LspServer> self, std::string text);
  void fail_all(const Error& error);

  Context& context_;
  LspLanguage language_;
  std::shared_ptr<Process> process_;
  asio::posix::stream_descriptor input_;
  asio::posix::stream_descriptor output_;
  asio::posix::stream_descriptor errors_;
  bool writing_ = false;
  Notifier written_;
  std::size_t unsent_answer_bytes_ = 0;
  LspFramer framer_;
  std::int64_t last_id_ = 0;
  std::map<std::int64_t, std::shared_ptr<Pending>> pending_;
  std::string last_words_;
  bool stopping_ = false;
  std::optional<ExitStatus> ended_;
  Notifier ended_event_;
  boost::json::object capabilities_;
};

}  // namespace sebring::toolbox
