#pragma once
// A language server with the documents that a client has open in it; started again when it crashed.
#include <boost/json/value.hpp>
#include <map>
#include <memory>
#include <string>

#include "toolbox/lsp_documents.h"
#include "toolbox/lsp_server.h"

namespace sebring::toolbox {

class LspProject : public std::enable_shared_from_this<LspProject> {
 public:
  // `project` is absolute. `thread` for file operations.
  LspProject(Context& context, std::shared_ptr<BlockingThread> thread, LspLanguage language, std::string project);

  asio::awaitable<Result<void>> start();
  asio::awaitable<void> stop();

  asio::awaitable<Result<void>> open(std::string uri);
  asio::awaitable<Result<void>> close(std::string uri);
  // CompletionList: {isIncomplete, items}
  asio::awaitable<Result<boost::json::value>> completions(std::string uri, boost::json::object position,
                                                          boost::json::value context);
  // Flat symbols: {kind, location: {range, uri}, name}
  asio::awaitable<Result<boost::json::value>> document_symbols(std::string uri);
  asio::awaitable<Result<boost::json::value>> workspace_symbols(std::string query);

 private:
  struct Document {
    std::string path;
    std::int64_t modified_ns = 0;
    std::int64_t size = 0;
    std::int64_t version = 1;
  };
  enum class Restart { at_once, after_pause };
  asio::awaitable<Result<std::shared_ptr<LspServer>>> server(Restart restart = Restart::after_pause);
  asio::awaitable<Result<SourceFile>> read(std::string uri);
  asio::awaitable<Result<void>> send_open(std::shared_ptr<LspServer> server, const SourceFile& file);
  // The document as the server should know it: opened, and told of changes on the disk. Its URI.
  asio::awaitable<Result<std::string>> refresh(std::shared_ptr<LspServer> server, std::string uri);
  asio::awaitable<Result<void>> refresh_open_documents(std::shared_ptr<LspServer> server);
  asio::awaitable<Result<boost::json::value>> search_documents(std::shared_ptr<LspServer> server, std::string query);

  Context& context_;
  std::shared_ptr<BlockingThread> thread_;
  LspLanguage language_;
  std::string project_;
  std::shared_ptr<LspServer> server_;
  bool starting_ = false;
  bool stopped_ = false;
  Notifier start_event_;
  Steady::time_point last_start_;
  std::map<std::string, Document> documents_;  // by URI
};

}  // namespace sebring::toolbox
