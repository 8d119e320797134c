/* bus_properties.c: reading units' properties. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/bus.h"

static const char PROPERTIES[] = "org.freedesktop.DBus.Properties";

const char *rsm__bus_unit_path(const char *name, rsm__arena *arena) {
  static const char before[] = "/org/freedesktop/systemd1/unit/";
  char *path = rsm__arena_alloc(arena, sizeof before + strlen(name) * 3);
  if (!path) return NULL;
  memcpy(path, before, sizeof before);
  char *at = path + sizeof before - 1;
  for (const char *from = name; *from; from++) {
    char c = *from;
    bool digit = c >= '0' && c <= '9';
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (digit && from > name)) {
      *at++ = c;
    } else {
      static const char hex[] = "0123456789abcdef";
      *at++ = '_';
      *at++ = hex[(unsigned char)c >> 4];
      *at++ = hex[(unsigned char)c & 15];
    }
  }
  return path; /* zeroed behind its end */
}

static rsm_status read_texts(rsm__bus_reply *reply, rsm__arena *arena, rsm__bus_texts *ret_texts, rsm_error *reterr) {
  const rsm__sd_bus *library = rsm__bus_library(reply->bus);
  RSM_CLEAN_FREE const char **items = NULL; /* in the message until they are copied */
  size_t count = 0, capacity = 0;
  int result = library->bus_message_enter_container(reply->message, 'a', "s");
  const char *text;
  while (result >= 0 && (result = library->bus_message_read_basic(reply->message, 's', &text)) > 0) {
    if (count == RSM__BUS_TEXTS_MAX) return rsm__fail(reterr, RSM_MORE_DATA, NULL, "too many names in a list of units");
    if (rsm__grow(&items, &capacity, count + 1, sizeof *items) < 0) return rsm__fail_memory(reterr);
    items[count++] = text;
  }
  if (result >= 0) result = library->bus_message_exit_container(reply->message);
  if (result < 0) return rsm__bus_read_result(reply, reterr, result);
  const char **copies = rsm__arena_alloc(arena, (count + 1) * sizeof *copies);
  if (!copies) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++)
    if (!(copies[i] = rsm__arena_strdup(arena, items[i]))) return rsm__fail_memory(reterr);
  *ret_texts = (rsm__bus_texts){copies, count};
  return RSM_OK;
}

static rsm_status read_basic(rsm__bus_reply *reply, const rsm__bus_property *wanted, rsm__arena *arena,
                             rsm_error *reterr) {
  const rsm__sd_bus *library = rsm__bus_library(reply->bus);
  union {
    const char *text;
    int boolean;
    uint32_t u32;
    int32_t i32;
    uint64_t u64;
  } got;
  rsm_status status =
      rsm__bus_read_result(reply, reterr, library->bus_message_read_basic(reply->message, wanted->type[0], &got));
  if (status != RSM_OK) return status;
  switch (wanted->type[0]) {
  case 'b':
    *(bool *)wanted->value = got.boolean != 0;
    return RSM_OK;
  case 'u':
    *(uint32_t *)wanted->value = got.u32;
    return RSM_OK;
  case 'i':
    *(int32_t *)wanted->value = got.i32;
    return RSM_OK;
  case 't':
    *(uint64_t *)wanted->value = got.u64;
    return RSM_OK;
  default: {
    const char *copy = rsm__arena_strdup(arena, got.text);
    if (!copy) return rsm__fail_memory(reterr);
    *(const char **)wanted->value = copy;
    return RSM_OK;
  }
  }
}

/* The variant that is next. *ret_read false: it is of another type, and was passed over. */
static rsm_status read_variant(rsm__bus_reply *reply, const rsm__bus_property *wanted, rsm__arena *arena,
                               bool *ret_read, rsm_error *reterr) {
  const rsm__sd_bus *library = rsm__bus_library(reply->bus);
  const char *contents = NULL;
  char type;
  int result = library->bus_message_peek_type(reply->message, &type, &contents);
  if (result <= 0) return rsm__bus_read_result(reply, reterr, result);
  *ret_read = wanted && type == 'v' && contents && strcmp(contents, wanted->type) == 0;
  if (!*ret_read) return rsm__bus_read_result(reply, reterr, library->bus_message_skip(reply->message, "v"));
  result = library->bus_message_enter_container(reply->message, 'v', contents);
  if (result <= 0) return rsm__bus_read_result(reply, reterr, result);
  rsm_status status = wanted->type[0] == 'a' ? read_texts(reply, arena, wanted->value, reterr)
                                             : read_basic(reply, wanted, arena, reterr);
  if (status != RSM_OK) return status;
  return rsm__bus_read_result(reply, reterr, library->bus_message_exit_container(reply->message));
}

static const rsm__bus_property *find(const rsm__bus_property *wanted, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(wanted[i].name, name) == 0) return &wanted[i];
  return NULL;
}

rsm_status rsm__bus_get_all(rsm__bus *bus, const char *path, const char *interface, const rsm__bus_property *wanted,
                            size_t count, rsm__arena *arena, rsm_error *reterr) {
  RSM_CLEAN_REPLY rsm__bus_reply reply = {0};
  const rsm__bus_method method = {path, PROPERTIES, "GetAll", NULL};
  rsm_status status = rsm__bus_call(bus, &method, &reply, reterr, "s", interface);
  if (status != RSM_OK) return status;
  const rsm__sd_bus *library = rsm__bus_library(bus);
  int result = library->bus_message_enter_container(reply.message, 'a', "{sv}");
  while (result >= 0 && (result = library->bus_message_enter_container(reply.message, 'e', "sv")) > 0) {
    const char *name;
    bool read;
    status = rsm__bus_read(&reply, reterr, "s", &name);
    if (status == RSM_OK) status = read_variant(&reply, find(wanted, count, name), arena, &read, reterr);
    if (status != RSM_OK) return status;
    result = library->bus_message_exit_container(reply.message);
  }
  return result < 0 ? rsm__bus_read_result(&reply, reterr, result) : RSM_OK;
}

rsm_status rsm__bus_get(rsm__bus *bus, const char *path, const char *interface, const rsm__bus_property *wanted,
                        rsm__arena *arena, rsm_error *reterr) {
  RSM_CLEAN_REPLY rsm__bus_reply reply = {0};
  const rsm__bus_method method = {path, PROPERTIES, "Get", wanted->name};
  rsm_status status = rsm__bus_call(bus, &method, &reply, reterr, "ss", interface, wanted->name);
  if (status != RSM_OK)
    return rsm__bus_refused_with(bus, "org.freedesktop.DBus.Error.UnknownProperty")
               ? rsm__fail(reterr, RSM_NOT_FOUND, wanted->name, "the service manager knows no such property")
               : status;
  bool read = false;
  status = read_variant(&reply, wanted, arena, &read, reterr);
  if (status == RSM_OK && !read)
    return rsm__fail(reterr, RSM_NOT_FOUND, wanted->name, "the property is of another type than expected");
  return status;
}
