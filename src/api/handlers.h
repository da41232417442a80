#pragma once
// Every handler of the route table. Each file of this folder named *_routes.cpp implements those of its resource.
#include "api/route.h"

namespace sebring::api {

#define SEBRING_HANDLER(name) asio::awaitable<Result<net::Response>> name(ApiContext& context, ApiRequest& request)

// config_routes.cpp
SEBRING_HANDLER(get_config);
SEBRING_HANDLER(get_health);
SEBRING_HANDLER(get_ready);
SEBRING_HANDLER(list_regions);
SEBRING_HANDLER(get_region);

// sandbox_create_routes.cpp
SEBRING_HANDLER(create_sandbox);
SEBRING_HANDLER(fork_sandbox);
SEBRING_HANDLER(snapshot_sandbox);

// sandbox_list_routes.cpp
SEBRING_HANDLER(list_sandboxes);
SEBRING_HANDLER(list_sandboxes_paginated);

// sandbox_routes.cpp
SEBRING_HANDLER(get_sandbox);
SEBRING_HANDLER(delete_sandbox);
SEBRING_HANDLER(start_sandbox);
SEBRING_HANDLER(stop_sandbox);
SEBRING_HANDLER(pause_sandbox);
SEBRING_HANDLER(archive_sandbox);
SEBRING_HANDLER(backup_sandbox);
SEBRING_HANDLER(recover_sandbox);
SEBRING_HANDLER(resize_sandbox);
SEBRING_HANDLER(list_ancestors);
SEBRING_HANDLER(list_forks);
SEBRING_HANDLER(get_parent);

// sandbox_settings_routes.cpp
SEBRING_HANDLER(set_stop_interval);
SEBRING_HANDLER(set_pause_interval);
SEBRING_HANDLER(set_archive_interval);
SEBRING_HANDLER(set_delete_interval);
SEBRING_HANDLER(set_ttl);
SEBRING_HANDLER(set_labels);
SEBRING_HANDLER(set_network);
SEBRING_HANDLER(set_public);
SEBRING_HANDLER(touch_activity);
SEBRING_HANDLER(get_toolbox_url);
SEBRING_HANDLER(get_signing_key);
SEBRING_HANDLER(rotate_signing_key);

// snapshot_routes.cpp
SEBRING_HANDLER(list_snapshots);
SEBRING_HANDLER(get_snapshot);
SEBRING_HANDLER(delete_snapshot);
SEBRING_HANDLER(activate_snapshot);
SEBRING_HANDLER(deactivate_snapshot);

// key_routes.cpp
SEBRING_HANDLER(list_keys);
SEBRING_HANDLER(create_key);
SEBRING_HANDLER(get_current_key);
SEBRING_HANDLER(get_key);
SEBRING_HANDLER(delete_key);
SEBRING_HANDLER(delete_key_of_user);

// organization_routes.cpp
SEBRING_HANDLER(get_me);
SEBRING_HANDLER(list_organizations);
SEBRING_HANDLER(get_organization);
SEBRING_HANDLER(get_usage);
SEBRING_HANDLER(list_members);
SEBRING_HANDLER(list_classes);
SEBRING_HANDLER(get_organization_of_sandbox);

// preview_routes.cpp
SEBRING_HANDLER(has_preview_access);
SEBRING_HANDLER(is_public);
SEBRING_HANDLER(is_preview_token);
SEBRING_HANDLER(find_signed_preview);
SEBRING_HANDLER(get_preview_url);
SEBRING_HANDLER(get_signed_preview_url);
SEBRING_HANDLER(expire_signed_preview_url);
SEBRING_HANDLER(create_ssh_access);
SEBRING_HANDLER(revoke_ssh_access);
SEBRING_HANDLER(validate_ssh_access);

}  // namespace sebring::api
