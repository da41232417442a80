"""Answers against the strict models of the generated Python client, and its request fields against what the server says it takes.

Runs with the oldest and the newest supported version.
"""

import json
import os
import unittest
import urllib.error
import urllib.request
import uuid
import warnings

import daytona_api_client as api

warnings.simplefilter("ignore")
URL, KEY = os.environ["SEBRING_URL"], os.environ["SEBRING_KEY"]
# Required and never null in these models; null in every answer of the original, too, for who is not suspended.
UNREADABLE = {"get_organization_by_sandbox_id", "list_organizations", "get_organization"}
VALUES = {"env": {"A": "b"}, "labels": {"a": "b"}, "volumes": [{"volumeId": "none", "mountPath": "/v"}], "secrets": [{"A": "b"}], "gpuType": ["H100"],
          "buildInfo": {"dockerfileContent": "FROM a:1"}, "networkAllowList": "1.1.1.1/32", "domainAllowList": "a.com", "linkedSandbox": "none",
          "outboundProxyUrl": "http://p:1", "otelEndpointOverride": "http://o:1", "snapshot": "daytona-small", "target": "default", "user": "root"}


def ask(method, path, body=None):
    request = urllib.request.Request(URL + path, json.dumps(body).encode() if body is not None else None,
                                     {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = api.ApiClient(api.Configuration(host=URL + "/api"))
        cls.client.default_headers["Authorization"] = "Bearer " + KEY

    def test_answers(self):
        sandboxes = api.SandboxApi(self.client)
        box = sandboxes.create_sandbox(api.CreateSandbox(name="contract-" + uuid.uuid4().hex[:8]))
        fork = sandboxes.fork_sandbox(box.id, api.ForkSandbox())
        self.addCleanup(sandboxes.delete_sandbox, box.id)
        self.addCleanup(sandboxes.delete_sandbox, fork.id)
        organization = box.organization_id
        calls = {
            "ConfigApi": {"config_controller_get_config": ()},
            "HealthApi": {"health_controller_live": (), "health_controller_check": ()},
            "SandboxApi": {"list_sandboxes": (), "list_sandboxes_paginated_deprecated": (), "get_sandbox": (box.id,), "get_sandbox_ancestors": (fork.id,),
                           "get_sandbox_forks": (box.id,), "get_sandbox_parent": (fork.id,), "get_port_preview_url": (box.id, 3000),
                           "get_signed_port_preview_url": (box.id, 3000), "get_toolbox_proxy_url": (box.id,), "create_ssh_access": (box.id,),
                           "get_organization_by_sandbox_id": (box.id,), "get_sandbox_signing_key": (box.id,)},
            "SnapshotsApi": {"get_all_snapshots": (), "get_snapshot": ("daytona-small",)},
            "ApiKeysApi": {"list_api_keys": (), "get_current_api_key": ()},
            "UsersApi": {"get_authenticated_user": ()},
            "OrganizationsApi": {"list_organizations": (), "get_organization": (organization,), "get_organization_usage_overview": (organization,),
                                 "list_organization_members": (organization,), "list_available_regions": (), "get_region_by_id": ("default",)},
            "RegionsApi": {"list_shared_regions": ()},
            "PreviewApi": {"has_sandbox_access": (box.id,)},
        }
        for group, methods in calls.items():
            for name, arguments in methods.items():
                if not hasattr(getattr(api, group, None), name):
                    continue  # of the other version
                with self.subTest(name):
                    call = getattr(getattr(api, group)(self.client), name)
                    if name in UNREADABLE:
                        self.assertRaisesRegex(ValueError, "suspended", call, *arguments)
                    else:
                        call(*arguments)

    def test_fields_of_create(self):
        """Each field of the client is in the server's own document and does what it says, or is refused."""
        documented = ask("GET", "/api-json")[1]["components"]["schemas"]["CreateSandbox"]["properties"]
        for field, one in api.CreateSandbox.model_fields.items():
            words = field.split("_")
            name = words[0] + "".join(word.title() for word in words[1:])
            if name == "additionalProperties":
                continue
            kind = str(one.annotation)
            value = VALUES.get(name, True if "Bool" in kind else 1 if "Int" in kind else "contract-" + uuid.uuid4().hex[:8])
            with self.subTest(name):
                status, answer = ask("POST", "/api/sandbox", {name: value})
                if status == 200:
                    ask("DELETE", "/api/sandbox/" + answer["id"])
                    self.assertIn(name, documented)
                    self.assertIn(answer.get(name, value), (value, "default"))
                else:
                    self.assertIn(status, (400, 404, 501), answer)
                    self.assertTrue(answer["message"])


if __name__ == "__main__":
    unittest.main()
