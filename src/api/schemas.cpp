#include "api/schemas.h"

namespace sebring::api {
namespace {

#define SANDBOX_COMMON                                                                                              \
  "id:string organizationId:string name:string target:string snapshot:string? user:string cpu:integer gpu:integer " \
  "memory:integer disk:integer public:boolean networkBlockAll:boolean networkAllowList:string? "                    \
  "domainAllowList:string? labels:map state:SandboxState desiredState:SandboxDesiredState errorReason:string? "     \
  "recoverable:boolean backupState:BackupState autoStopInterval:integer autoPauseInterval:integer "                 \
  "autoArchiveInterval:integer autoDeleteInterval:integer autoDestroyAt:date? createdAt:date updatedAt:date "       \
  "lastActivityAt:date sandboxClass:SandboxClass daemonVersion:string? runnerId:string? toolboxProxyUrl:string"

constexpr SchemaEntry kSchemas[] = {
    {"Error", "path:string timestamp:date statusCode:integer error:string message:string code:string source:string"},
    {"DaytonaConfiguration",
     "version:string oidc:OidcConfig linkedAccountsEnabled:boolean announcements:object proxyTemplateUrl:string "
     "proxyToolboxUrl:string defaultSnapshot:string dashboardUrl:string maxAutoArchiveInterval:integer "
     "maintananceMode:boolean environment:string"},
    {"OidcConfig", "issuer:string clientId:string audience:string provider:string"},
    {"Health", "status:string info:object error:object details:object"},
    {"HealthStatus", "status:string version:string"},
    {"SandboxState",
     "enum creating restoring destroyed destroying started stopped starting stopping error build_failed pending_build "
     "building_snapshot unknown pulling_snapshot archived archiving resizing snapshotting forking pausing paused "
     "resuming"},
    {"SandboxDesiredState", "enum destroyed started stopped resized archived paused"},
    {"BackupState", "enum None Pending InProgress Completed Error"},
    {"SandboxClass", "enum container linux-vm windows android"},
    {"SandboxVolume", "volumeId:string mountPath:string subpath:string?"},
    {"Sandbox",
     SANDBOX_COMMON " env:map kvm:boolean volumes:SandboxVolume[] backupCreatedAt:date? linkedSandboxId:string?"},
    {"SandboxListItem", SANDBOX_COMMON},
    {"ListSandboxesResponse", "items:SandboxListItem[] nextCursor:string?"},
    {"PaginatedSandboxes", "items:Sandbox[] total:integer page:integer totalPages:integer"},
    {"CreateSandbox",
     "name:string? snapshot:string? user:string? env:map? labels:map? public:boolean? networkBlockAll:boolean? "
     "networkAllowList:string? target:string? autoStopInterval:integer? autoPauseInterval:integer? "
     "autoArchiveInterval:integer? autoDeleteInterval:integer? ttlMinutes:integer? linkedSandbox:string? "
     "queueTimeout:integer?"},
    {"ForkSandbox", "name:string?"},
    {"CreateSandboxSnapshot", "name:string includeMemory:boolean?"},
    {"ResizeSandbox", "cpu:integer? memory:integer? disk:integer?"},
    {"SandboxLabels", "labels:map"},
    {"UpdateSandboxNetworkSettings", "networkBlockAll:boolean? networkAllowList:string? domainAllowList:string?"},
    {"PortPreviewUrl", "sandboxId:string url:string token:string"},
    {"SignedPortPreviewUrl", "sandboxId:string port:integer token:string url:string"},
    {"SshAccessDto",
     "id:string sandboxId:string token:string expiresAt:date createdAt:date updatedAt:date sshCommand:string"},
    {"SshAccessValidationDto", "valid:boolean sandboxId:string"},
    {"ToolboxProxyUrl", "url:string"},
    {"SnapshotState", "enum building pending pulling active inactive error build_failed removing snapshotting"},
    {"SnapshotDto",
     "id:string organizationId:string? general:boolean name:string imageName:string? state:SnapshotState size:number? "
     "entrypoint:string[] cpu:integer gpu:integer mem:integer disk:integer errorReason:string? createdAt:date "
     "updatedAt:date lastUsedAt:date? regionIds:string[] sandboxClass:SandboxClass sourceSandboxId:string?"},
    {"PaginatedSnapshots", "items:SnapshotDto[] total:integer page:integer totalPages:integer"},
    {"StorageAccessDto",
     "accessKey:string secret:string sessionToken:string storageUrl:string organizationId:string bucket:string "
     "region:string"},
    {"CreateApiKey", "name:string permissions:string[] expiresAt:date?"},
    {"ApiKeyResponse", "name:string value:string createdAt:date permissions:string[] expiresAt:date?"},
    {"ApiKeyList",
     "name:string value:string createdAt:date permissions:string[] lastUsedAt:date? expiresAt:date? userId:string "
     "organizationId:string"},
    {"User", "id:string name:string email:string emailVerified:boolean publicKeys:object[] createdAt:date"},
    {"Organization",
     "id:string name:string createdBy:string personal:boolean createdAt:date updatedAt:date suspended:boolean "
     "suspendedAt:date? suspensionReason:string? suspendedUntil:date? suspensionCleanupGracePeriodHours:integer "
     "maxCpuPerSandbox:integer maxMemoryPerSandbox:integer maxDiskPerSandbox:integer "
     "snapshotDeactivationTimeoutMinutes:integer sandboxLimitedNetworkEgress:boolean defaultRegionId:string "
     "authenticatedRateLimit:integer? sandboxCreateRateLimit:integer? sandboxLifecycleRateLimit:integer? "
     "experimentalConfig:object otelConfig:object? secretQuota:integer maxSecretsPerSandbox:integer "
     "previewWarningEnabled:boolean ssoEnabled:boolean scimEnabled:boolean"},
    {"RegionUsageOverview",
     "regionId:string sandboxClass:SandboxClass totalCpuQuota:integer currentCpuUsage:integer "
     "totalMemoryQuota:integer currentMemoryUsage:integer totalDiskQuota:integer currentDiskUsage:integer "
     "totalGpuQuota:integer currentGpuUsage:integer maxCpuPerSandbox:integer? maxMemoryPerSandbox:integer? "
     "maxDiskPerSandbox:integer?"},
    {"OrganizationUsageOverview",
     "regionUsage:RegionUsageOverview[] totalSnapshotQuota:integer currentSnapshotUsage:integer "
     "totalVolumeQuota:integer currentVolumeUsage:integer"},
    {"OrganizationUser",
     "userId:string organizationId:string name:string email:string role:string assignedRoles:object[] createdAt:date "
     "updatedAt:date"},
    {"AvailableSandboxClass", "regionId:string sandboxClass:SandboxClass gpuAvailable:boolean"},
    {"Region",
     "id:string name:string organizationId:string? regionType:string createdAt:date updatedAt:date proxyUrl:string? "
     "sshGatewayUrl:string? snapshotManagerUrl:string?"},
};

}  // namespace

std::span<const SchemaEntry> schemas() { return kSchemas; }

}  // namespace sebring::api
