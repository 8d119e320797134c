/* critical_services.c: the one table of services that are not stopped for an update.
 *
 * In it is what would take the user's work, the way in or the ground under other programs with it, or what does not
 * come back by being started again. Not in it: what is back a moment later and was only missed (Spooler, Themes,
 * Audiosrv), and what does not accept to be stopped, which its manager says itself: most of the first group does not,
 * but a table that leaves it out would rely on that. SPDX-License-Identifier: MIT */
#include "os/windows/critical_services.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static const char CALLS[] = "carries the calls between programs";
static const char SYSTEM_CORE[] = "a part of the system's core";
static const char LOGIN[] = "the accounts and logins of this machine";
static const char SESSIONS[] = "carries users' sessions";
static const char JOURNAL[] = "the system's journal";
static const char DEVICES[] = "the device manager";
static const char SECURITY[] = "guards this machine";
static const char NETWORK[] = "the network";
static const char TUNNEL[] = "a tunnel or the routing of the network";
static const char REMOTE[] = "carries remote desktops and shells";
static const char FILES[] = "carries files of other machines that are open here";
static const char STORAGE[] = "carries mounted storage";
static const char CONTAINERS[] = "carries containers";
static const char MACHINES[] = "carries virtual machines";
static const char CLUSTER[] = "the cluster that this machine belongs to";
static const char INSTALLER[] = "may be installing software";

/* One '*' at most, for any text; case does not matter. */
static const struct critical {
  const char *pattern;
  const char *why;
} table[] = {
    /* Documented as critical: their host's end takes Windows down. */
    {"RpcSs", CALLS},
    {"RpcEptMapper", CALLS},
    {"DcomLaunch", CALLS},
    {"PlugPlay", DEVICES},
    {"DeviceInstall", DEVICES},
    {"Power", DEVICES},
    {"SamSs", LOGIN},
    {"Netlogon", LOGIN},
    {"NTDS", LOGIN}, /* a domain's controller: everybody's logins */
    {"Kdc", LOGIN},
    {"LSM", SESSIONS},
    {"ProfSvc", SESSIONS},
    {"UserManager", SESSIONS},
    {"gpsvc", SESSIONS},
    {"TermService", REMOTE},
    {"UmRdpService", REMOTE},
    {"SessionEnv", REMOTE},
    {"WinRM", REMOTE},
    {"vncserver*", REMOTE},
    {"tvnserver*", REMOTE},
    {"TeamViewer*", REMOTE},
    {"AnyDesk*", REMOTE},
    /* Everything else waits for what these say. */
    {"BrokerInfrastructure", SYSTEM_CORE},
    {"SystemEventsBroker", SYSTEM_CORE},
    {"CoreMessagingRegistrar", SYSTEM_CORE},
    {"StateRepository", SYSTEM_CORE},
    {"EventSystem", SYSTEM_CORE},
    {"Schedule", SYSTEM_CORE},
    {"CryptSvc", SYSTEM_CORE}, /* whose signature is checked while it is away is refused */
    {"SENS", SYSTEM_CORE},
    {"EventLog", JOURNAL},
    /* Without these the machine is open, or shut to everybody. */
    {"BFE", SECURITY},
    {"MpsSvc", SECURITY},
    {"WinDefend", SECURITY},
    {"SecurityHealthService", SECURITY},
    {"wscsvc", SECURITY},
    {"Sense", SECURITY},
    {"AppIDSvc", SECURITY},
    /* The installer may have come this way, or get its files this way. */
    {"Dhcp", NETWORK},
    {"Dnscache", NETWORK},
    {"nsi", NETWORK},
    {"NlaSvc", NETWORK},
    {"netprofm", NETWORK},
    {"Netman", NETWORK},
    {"WlanSvc", NETWORK},
    {"WwanSvc", NETWORK},
    {"dot3svc", NETWORK},
    {"WcmSvc", NETWORK},
    {"DNS", NETWORK},        /* this machine is others' name server */
    {"DHCPServer", NETWORK}, /* or gives them their addresses */
    /* The same, farther away. */
    {"RasMan", TUNNEL},
    {"RemoteAccess", TUNNEL},
    {"IKEEXT", TUNNEL},
    {"PolicyAgent", TUNNEL},
    {"OpenVPN*", TUNNEL},
    {"WireGuard*", TUNNEL},
    {"Tailscale", TUNNEL},
    {"ZeroTierOneService", TUNNEL},
    {"vpnagent", TUNNEL},
    /* What lies on it hangs, or is taken away under those who use it. */
    {"LanmanWorkstation", FILES},
    {"WebClient", FILES},
    {"NfsClnt", FILES},
    {"MSiSCSI", STORAGE},
    {"vds", STORAGE},
    {"smphost", STORAGE},
    {"EFS", STORAGE}, /* encrypted files that are open */
    {"docker", CONTAINERS},
    {"com.docker.service", CONTAINERS},
    {"containerd", CONTAINERS},
    {"CExecSvc", CONTAINERS},
    {"vmcompute", MACHINES}, /* containers, too, and Windows' own Linux */
    {"vmms", MACHINES},
    {"WslService", MACHINES},
    {"LxssManager", MACHINES},
    {"HvHost", MACHINES},
    {"VMAuthdService", MACHINES},
    {"VBoxSDS", MACHINES},
    {"ClusSvc", CLUSTER},
    /* Ended in the middle they leave packages half installed. */
    {"TrustedInstaller", INSTALLER},
    {"msiserver", INSTALLER},
    {"wuauserv", INSTALLER},
    {"UsoSvc", INSTALLER},
    {"AppXSvc", INSTALLER},
    {"InstallService", INSTALLER},
    {"CcmExec", INSTALLER},
    {"IntuneManagementExtension", INSTALLER},
};

static char lower(char letter) {
  if (letter >= 'A' && letter <= 'Z') return (char)(letter - 'A' + 'a');
  return letter;
}

static bool same_letters(const char *a, const char *b, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

static bool matches(const char *pattern, const char *name) {
  const char *star = strchr(pattern, '*');
  size_t whole = strlen(pattern), length = strlen(name);
  if (!star) return length == whole && same_letters(pattern, name, length);
  size_t before = (size_t)(star - pattern), after = whole - before - 1;
  return length >= before + after && same_letters(name, pattern, before) &&
         same_letters(name + length - after, star + 1, after);
}

const char *rsm__critical_service(const char *name) {
  for (size_t i = 0; i < RSM_COUNT(table); i++)
    if (matches(table[i].pattern, name)) return table[i].why;
  return NULL;
}
