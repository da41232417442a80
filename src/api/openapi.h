#pragma once
#include <string>

namespace sebring::api {

// The OpenAPI 3.1 document, made of the route table and the schemas. Served at /api-json.
std::string openapi_document(const std::string& version, const std::string& public_url);
// A page of our own to read it with, served at /api. Needs nothing from elsewhere.
std::string api_page();

}  // namespace sebring::api
