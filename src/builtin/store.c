/* store.c: SPDX-License-Identifier: MIT */
#include "builtin/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/record.h"
#include "os/user.h"

enum { OWNER_LIMIT = 4096, SESSION_LIMIT = 65536 };
static const uint32_t OWNER_VERSION = 1;
static const char NEW_PREFIX[] = ".new-", OLD_PREFIX[] = ".old-";

static void close_dir(rsm__dir **dir) {
  *dir = rsm__dir_close(*dir);
}

void rsm__stored_close(rsm__stored *stored) {
  close_dir(&stored->dir);
  close_dir(&stored->place);
}

static void close_lent(rsm__stored *stored) {
  close_dir(&stored->dir);
}

static rsm_status write_owner(rsm__dir *dir, const rsm__owner *owner, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0}, file = {0};
  rsm__buffer_put_u32(&content, OWNER_VERSION);
  rsm__put_process(&content, &owner->primary);
  rsm__buffer_put_text(&content, owner->here.boot);
  rsm__buffer_put_u64(&content, owner->here.pid_namespace);
  rsm__buffer_put_u64(&content, (uint64_t)owner->started_at);
  rsm__buffer_put_u8(&content, owner->restart_unregistered);
  rsm__buffer_put_u8(&content, owner->left);
  rsm__buffer_put_text(&content, owner->name);
  rsm__record_frame(&file, &content);
  if (file.failed) return rsm__fail_memory(reterr);
  return rsm__dir_write(dir, "primary", file.data, file.length, reterr);
}

static bool copy_field(char *to, size_t size, const char *from) {
  size_t length = from ? strlen(from) : size;
  if (length >= size) return false;
  memcpy(to, from, length + 1);
  return true;
}

/* RSM_CREDENTIAL_CONFLICT: no owner's record, or one that cannot be read. */
static rsm_status read_owner(rsm__dir *dir, rsm__owner *ret_owner, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer file = {0};
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm_status status = rsm__dir_read(dir, "primary", OWNER_LIMIT, &file, reterr);
  if (status == RSM_OUT_OF_MEMORY) return status;
  rsm__cursor all = {.data = file.data, .length = file.length}, content;
  rsm__owner owner = {0};
  if (status == RSM_OK && rsm__record_next(&all, &content) && rsm__cursor_u32(&content) == OWNER_VERSION) {
    owner.primary = rsm__get_process(&content);
    bool fits = copy_field(owner.here.boot, sizeof owner.here.boot, rsm__cursor_text(&content, &arena));
    owner.here.pid_namespace = rsm__cursor_u64(&content);
    owner.started_at = (int64_t)rsm__cursor_u64(&content);
    owner.restart_unregistered = rsm__cursor_u8(&content) != 0;
    owner.left = rsm__cursor_u8(&content) != 0;
    fits = copy_field(owner.name, sizeof owner.name, rsm__cursor_text(&content, &arena)) && fits;
    if (content.out_of_memory) return rsm__fail_memory(reterr);
    if (fits && !content.failed) {
      *ret_owner = owner;
      return RSM_OK;
    }
  }
  return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL, "there is no session with this key");
}

static rsm_status new_key(char *ret_key, rsm_error *reterr) {
  unsigned char bytes[RSM_KEY_LENGTH / 2];
  rsm_status status = rsm__random(bytes, sizeof bytes, reterr);
  for (size_t i = 0; status == RSM_OK && i < sizeof bytes; i++) snprintf(ret_key + 2 * i, 3, "%02x", bytes[i]);
  return status;
}

/* The first place that exists or can be made and can be trusted; the error names what is wrong with each. */
static rsm_status usable_place(rsm__dir **ret_place, bool *ret_in_memory, rsm_error *reterr) {
  rsm_status worst = RSM_NOT_FOUND;
  rsm_error error;
  char all[300] = "", words[160];
  for (unsigned place = 0;; place++) {
    rsm_status status = rsm__private_place_open(rsm__user_current(), place, true, ret_place, &error);
    if (status == RSM_OK) {
      *ret_in_memory = rsm__private_place_in_memory(place);
      return RSM_OK;
    }
    if (status == RSM_INVALID_PARAMETER) break; /* there are no more */
    if (rsm__is_shortage(status)) {
      if (reterr) *reterr = error;
      return status;
    }
    if (worst == RSM_NOT_FOUND) worst = status;
    size_t used = strlen(all);
    snprintf(all + used, sizeof all - used, "%s%s", used ? "; " : "", rsm_error_format(&error, words, sizeof words));
  }
  if (worst == RSM_NOT_FOUND) worst = RSM_WRITE_FAULT;
  return rsm__fail(reterr, worst, NULL, "there is no private place to keep the session in: %s", all);
}

rsm_status rsm__store_create(const rsm__owner *owner, rsm__stored *ret_stored, rsm_error *reterr) {
  RSM_CLEAN(rsm__stored_close) rsm__stored stored = {0};
  rsm_status status = usable_place(&stored.place, &stored.in_memory, reterr);
  if (status == RSM_OK) status = new_key(stored.key, reterr);
  if (status != RSM_OK) return status;
  /* Built under a name that tells who builds it, so that a crash here can be swept, then shown whole. */
  char name[128];
  snprintf(name, sizeof name, "%s%" PRIu64 "-%u-%" PRIu64 "-%s", NEW_PREFIX, owner->here.pid_namespace,
           (unsigned)owner->primary.pid, owner->primary.start_time, stored.key);
  status = rsm__dir_open(stored.place, name, true, &stored.dir, reterr); /* may have made it even if it failed */
  if (status == RSM_OK) status = write_owner(stored.dir, owner, reterr);
  close_dir(&stored.dir);
  if (status == RSM_OK) status = rsm__dir_rename(stored.place, name, stored.key, reterr);
  if (status != RSM_OK) {
    rsm__dir_remove(stored.place, name, NULL);
    return status;
  }
  /* Opened anew: not every system lets a folder go on by its handle when it has another name. */
  status = rsm__dir_open(stored.place, stored.key, false, &stored.dir, reterr);
  if (status != RSM_OK) {
    rsm__dir_remove(stored.place, stored.key, NULL);
    return status;
  }
  *ret_stored = stored;
  stored = (rsm__stored){0};
  return RSM_OK;
}

/* Same boot and pid namespace: only then do its process identities mean anything to us. */
static bool belongs_here(const rsm__owner *owner, const rsm__here *here) {
  return strcmp(owner->here.boot, here->boot) == 0 && owner->here.pid_namespace == here->pid_namespace;
}

rsm_status rsm__store_open(const char *key, rsm__stored *ret_stored, rsm__owner *ret_owner, rsm_error *reterr) {
  rsm__here here;
  rsm_status status = rsm__process_here(&here, reterr);
  for (unsigned place = 0; status == RSM_OK; place++) {
    RSM_CLEAN(rsm__stored_close) rsm__stored stored = {0};
    rsm__owner owner;
    rsm_status found = rsm__private_place_open(rsm__user_current(), place, false, &stored.place, reterr);
    if (found == RSM_INVALID_PARAMETER) break;
    if (rsm__is_shortage(found)) return found;
    if (found != RSM_OK) continue; /* not there, or not to be trusted: then it is no place of ours */
    found = rsm__dir_open(stored.place, key, false, &stored.dir, reterr);
    if (found == RSM_OK) found = read_owner(stored.dir, &owner, reterr);
    if (rsm__is_shortage(found)) return found;
    if (found != RSM_OK || !belongs_here(&owner, &here)) continue;
    stored.in_memory = rsm__private_place_in_memory(place);
    memcpy(stored.key, key, sizeof stored.key);
    *ret_owner = owner;
    *ret_stored = stored;
    stored = (rsm__stored){0};
    return RSM_OK;
  }
  if (status != RSM_OK) return status;
  return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL,
                   "there is no session with this key: it has ended, or belongs to another user");
}

rsm_status rsm__store_set_owner(rsm__stored *stored, const rsm__owner *owner, rsm_error *reterr) {
  return write_owner(stored->dir, owner, reterr);
}

rsm_status rsm__store_remove(rsm__stored *stored, rsm_error *reterr) {
  char old[64];
  snprintf(old, sizeof old, "%s%s", OLD_PREFIX, stored->key);
  rsm_status status = rsm__dir_rename(stored->place, stored->key, old, reterr);
  close_dir(&stored->dir); /* on Windows it would stay there as long as we have it open */
  /* Not renamed, it can perhaps be removed all the same: left there it would look alive as long as we are. */
  if (status != RSM_OK && status != RSM_FILE_NOT_FOUND) return rsm__dir_remove(stored->place, stored->key, reterr);
  /* Renamed it has ended, for everybody. What cannot be removed now (on Windows: what a secondary still has open) is
   * swept by the next session that starts. */
  (void)rsm__dir_remove(stored->place, old, NULL);
  return RSM_OK;
}

bool rsm__store_owner_alive(const rsm__owner *owner) {
  rsm__process *process;
  if (owner->left) return false;
  rsm_status status = rsm__process_open(&owner->primary, &process, NULL);
  if (status != RSM_OK) return status != RSM_NOT_FOUND; /* who could not be looked at is not taken for dead */
  bool alive = rsm__process_alive(process);
  rsm__process_close(process);
  return alive;
}

static bool is_key(const char *name) {
  return strlen(name) == RSM_KEY_LENGTH && strspn(name, "0123456789abcdef") == RSM_KEY_LENGTH;
}

/* Half-made and half-removed folders of processes that are gone. Another pid namespace's makers cannot be looked at. */
static void sweep_debris(rsm__dir *place, const char *name, const rsm__here *here) {
  unsigned pid;
  uint64_t pid_namespace, start_time;
  if (strncmp(name, OLD_PREFIX, sizeof OLD_PREFIX - 1) == 0) {
    rsm__dir_remove(place, name, NULL);
  } else if (sscanf(name, ".new-%" SCNu64 "-%u-%" SCNu64 "-", &pid_namespace, &pid, &start_time) == 3 &&
             pid_namespace == here->pid_namespace) {
    const rsm__owner maker = {.primary = {.pid = pid, .start_time = start_time}};
    if (!rsm__store_owner_alive(&maker)) rsm__dir_remove(place, name, NULL);
  }
}

/* The place is lent to all of them in turn: finding it again costs more than the rest of a visit. */
static rsm_status visit_one(rsm__dir *place_dir, unsigned place, const char *name, const rsm__here *here,
                            rsm__store_visit *visit, void *context, rsm_error *reterr) {
  RSM_CLEAN(close_lent) rsm__stored stored = {.place = place_dir, .in_memory = rsm__private_place_in_memory(place)};
  rsm__owner owner;
  memcpy(stored.key, name, sizeof stored.key);
  rsm_status status = rsm__dir_open(place_dir, name, false, &stored.dir, reterr);
  if (status == RSM_OK) status = read_owner(stored.dir, &owner, reterr);
  if (rsm__is_shortage(status)) return status;
  if (status != RSM_OK) return RSM_OK; /* ended meanwhile, or garbage: not a session */
  if (strcmp(owner.here.boot, here->boot) != 0) {
    rsm__dir_remove(place_dir, name, NULL);
    return RSM_OK;
  }
  return belongs_here(&owner, here) ? visit(context, &stored, &owner, reterr) : RSM_OK;
}

rsm_status rsm__store_each(rsm__store_visit *visit, void *context, rsm_error *reterr) {
  rsm__here here;
  rsm_status status = rsm__process_here(&here, reterr);
  for (unsigned place = 0; status == RSM_OK; place++) {
    RSM_CLEAN(close_dir) rsm__dir *dir = NULL;
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    const char *const *names;
    size_t count;
    rsm_status opened = rsm__private_place_open(rsm__user_current(), place, false, &dir, reterr);
    if (opened == RSM_INVALID_PARAMETER) break;
    if (rsm__is_shortage(opened)) return opened;
    if (opened != RSM_OK) continue;
    status = rsm__dir_names(dir, SESSION_LIMIT, &arena, &names, &count, reterr);
    for (size_t i = 0; status == RSM_OK && i < count; i++) {
      if (is_key(names[i]))
        status = visit_one(dir, place, names[i], &here, visit, context, reterr);
      else
        sweep_debris(dir, names[i], &here);
    }
  }
  return status;
}
