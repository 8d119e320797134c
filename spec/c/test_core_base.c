/* test_core_base.c: the ground floor: bytes out and back, memory, errors, statuses. SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/record.h"
#include "check.h"

/* Always the same sequence, so that a failure comes again. */
static uint64_t dice_state = 0x9E3779B97F4A7C15u;

static uint32_t dice(uint32_t sides) {
  dice_state ^= dice_state << 13;
  dice_state ^= dice_state >> 7;
  dice_state ^= dice_state << 17;
  return (uint32_t)(dice_state >> 33) % sides;
}

/* ---- Buffer and cursor ---- */

static void put_sample(rsm__buffer *buffer) {
  static const char *const texts[] = {"one", "", "three with \xC3\xA4"};
  rsm__buffer_put_u8(buffer, 0xA5);
  rsm__buffer_put_u32(buffer, 0x12345678);
  rsm__buffer_put_u64(buffer, 0xFEDCBA9876543210u);
  rsm__buffer_put_text(buffer, "text");
  rsm__buffer_put_text(buffer, "");
  rsm__buffer_put_text(buffer, NULL);
  rsm__buffer_put_bytes(buffer, "a\0b", 3);
  rsm__buffer_put_bytes(buffer, NULL, 0);
  rsm__buffer_put_texts(buffer, texts, 3);
  rsm__buffer_put_texts(buffer, NULL, 0);
}

/* Reads the sample's shape from anything; true if all of it was there. */
static bool read_shape(rsm__cursor *cursor, rsm__arena *arena) {
  size_t length;
  rsm__cursor_u8(cursor);
  rsm__cursor_u32(cursor);
  rsm__cursor_u64(cursor);
  for (int i = 0; i < 3; i++) {
    const char *text = rsm__cursor_text(cursor, arena);
    CHECK(!cursor->failed || !text);
    if (text) CHECK(strlen(text) <= cursor->length);
  }
  for (int i = 0; i < 2; i++) {
    const char *bytes = rsm__cursor_bytes(cursor, arena, &length);
    CHECK(bytes || length == 0);
    if (bytes) CHECK_INT(bytes[length], 0);
  }
  for (int i = 0; i < 2; i++) {
    const char *const *texts = rsm__cursor_texts(cursor, arena, &length);
    CHECK(texts || length == 0);
    for (size_t k = 0; texts && k < length; k++) CHECK(texts[k] && strlen(texts[k]) <= cursor->length);
    if (texts) CHECK(!texts[length]);
  }
  CHECK(cursor->position <= cursor->length);
  return !cursor->failed;
}

static void what_was_put_comes_back(void) {
  RSM_CLEAN_BUFFER rsm__buffer buffer = {0};
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  put_sample(&buffer);
  CHECK(!buffer.failed);
  rsm__cursor cursor = {.data = buffer.data, .length = buffer.length};
  CHECK_INT(rsm__cursor_u8(&cursor), 0xA5);
  CHECK_INT(rsm__cursor_u32(&cursor), 0x12345678);
  CHECK(rsm__cursor_u64(&cursor) == 0xFEDCBA9876543210u);
  CHECK_TEXT(rsm__cursor_text(&cursor, &arena), "text");
  CHECK_TEXT(rsm__cursor_text(&cursor, &arena), "");
  CHECK_TEXT(rsm__cursor_text(&cursor, &arena), NULL);
  CHECK(!cursor.failed); /* a NULL that was put is no failure */
  size_t length, count;
  const char *bytes = rsm__cursor_bytes(&cursor, &arena, &length);
  CHECK(length == 3 && memcmp(bytes, "a\0b", 4) == 0);
  CHECK(rsm__cursor_bytes(&cursor, &arena, &length) && length == 0);
  const char *const *texts = rsm__cursor_texts(&cursor, &arena, &count);
  CHECK_INT(count, 3);
  CHECK_TEXT(texts[0], "one");
  CHECK_TEXT(texts[1], "");
  CHECK_TEXT(texts[2], "three with \xC3\xA4");
  CHECK(!texts[3]);
  texts = rsm__cursor_texts(&cursor, &arena, &count);
  CHECK(texts && count == 0 && !texts[0]);
  CHECK(!cursor.failed && cursor.position == cursor.length);
}

static void numbers_are_little_endian(void) {
  RSM_CLEAN_BUFFER rsm__buffer buffer = {0};
  rsm__buffer_put_u32(&buffer, 0x04030201);
  rsm__buffer_put_u64(&buffer, 0x0C0B0A0908070605u);
  for (unsigned i = 0; i < 12; i++) CHECK_INT(buffer.data[i], i + 1);
}

static void a_short_input_fails_and_stays_failed(void) {
  RSM_CLEAN_BUFFER rsm__buffer buffer = {0};
  put_sample(&buffer);
  for (size_t length = 0; length < buffer.length; length++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    unsigned char *exact = rsm__malloc(length); /* so that a sanitizer sees a read past the end */
    memcpy(exact, buffer.data, length);
    rsm__cursor cursor = {.data = exact, .length = length};
    CHECK(!read_shape(&cursor, &arena));
    CHECK_INT(rsm__cursor_u8(&cursor), 0);
    CHECK_INT(rsm__cursor_u32(&cursor), 0);
    CHECK_INT(rsm__cursor_u64(&cursor), 0);
    CHECK(!rsm__cursor_text(&cursor, &arena));
    rsm__free(exact);
  }
}

static bool text_from(const void *data, size_t length) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__cursor cursor = {.data = data, .length = length};
  return rsm__cursor_text(&cursor, &arena) && !cursor.failed;
}

static bool texts_from(const void *data, size_t length) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  size_t count = 7;
  rsm__cursor cursor = {.data = data, .length = length};
  const char *const *texts = rsm__cursor_texts(&cursor, &arena, &count);
  CHECK(texts ? !cursor.failed : count == 0 && cursor.failed);
  return texts != NULL;
}

static void lies_about_lengths_fail(void) {
  CHECK(text_from("\3\0\0\0abc", 7));
  CHECK(!text_from("\3\0\0\0a\0c", 7)); /* a text with a NUL in it */
  CHECK(!text_from("\4\0\0\0abc", 7));
  CHECK(!text_from("\xFE\xFF\xFF\xFF"
                   "abc",
                   7));
  CHECK(texts_from("\1\0\0\0\1\0\0\0a", 9));
  CHECK(!texts_from("\2\0\0\0\1\0\0\0a", 9));
  CHECK(!texts_from("\xFF\xFF\xFF\xFF\1\0\0\0a", 9));
  CHECK(!texts_from("\1\0\0\0\xFF\xFF\xFF\xFF", 8)); /* NULL ends a list of texts and is not in it */
}

static void random_input_is_survived(void) {
  RSM_CLEAN_BUFFER rsm__buffer buffer = {0};
  put_sample(&buffer);
  size_t whole = 0;
  for (int round = 0; round < 20000; round++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    size_t length = dice(8) ? buffer.length : dice((uint32_t)buffer.length + 1);
    unsigned char *data = rsm__malloc(length);
    memcpy(data, buffer.data, length);
    for (uint32_t i = dice(6); length && i > 0; i--) data[dice((uint32_t)length)] = (unsigned char)dice(256);
    rsm__cursor cursor = {.data = data, .length = length};
    whole += read_shape(&cursor, &arena);
    rsm__free(data);
  }
  CHECK(whole > 0); /* or the loop tests nothing */
}

static void records_are_framed(void) {
  RSM_CLEAN_BUFFER rsm__buffer file = {0}, one = {0}, none = {0};
  rsm__buffer_put_text(&one, "content");
  rsm__record_frame(&file, &one);
  rsm__record_frame(&file, &none);
  rsm__record_frame(&file, &one);
  size_t each = 12 + one.length;
  for (size_t length = 0; length <= file.length; length++) {
    rsm__cursor all = {.data = file.data, .length = length}, content;
    size_t count = 0;
    while (rsm__record_next(&all, &content)) count++;
    size_t want = length == file.length ? 3 : length >= each + 12 ? 2 : length >= each ? 1 : 0;
    CHECK_INT(count, want);
    CHECK_INT(all.position, want == 3 ? file.length : want == 2 ? each + 12 : want * each);
  }
  for (size_t at = 0; at < each; at++) { /* any changed bit of a record ends the file there */
    for (int bit = 0; bit < 8; bit++) {
      rsm__cursor all = {.data = file.data, .length = file.length}, content;
      file.data[at] ^= (unsigned char)(1 << bit);
      CHECK(!rsm__record_next(&all, &content));
      CHECK_INT(all.position, 0);
      file.data[at] ^= (unsigned char)(1 << bit);
    }
  }
}

static void processes_come_back(void) {
  RSM_CLEAN_BUFFER rsm__buffer buffer = {0};
  const rsm_process process = {.pid = 4194304, .start_time = UINT64_MAX, .instance = 77};
  rsm__put_process(&buffer, &process);
  rsm__cursor cursor = {.data = buffer.data, .length = buffer.length};
  rsm_process back = rsm__get_process(&cursor);
  CHECK(rsm_process_equal(&process, &back) && back.instance == 77);
}

static void checksums_are_crc32c(void) {
  unsigned char bytes[32] = {0};
  CHECK(rsm__crc32c("123456789", 9) == 0xE3069283u);
  CHECK(rsm__crc32c("", 0) == 0);
  CHECK(rsm__crc32c(NULL, 0) == 0);
  CHECK(rsm__crc32c(bytes, sizeof bytes) == 0x8A9136AAu);
  memset(bytes, 0xFF, sizeof bytes);
  CHECK(rsm__crc32c(bytes, sizeof bytes) == 0x62A8AB43u);
}

/* ---- Memory ---- */

static void arenas_align_zero_and_copy(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  unsigned char *kept[400];
  size_t sizes[400];
  for (size_t i = 0; i < 400; i++) {
    sizes[i] = i % 50 == 49 ? 4000 + dice(8000) : dice(200);
    kept[i] = rsm__arena_alloc(&arena, sizes[i]);
    CHECK(kept[i] && (uintptr_t)kept[i] % (2 * sizeof(void *)) == 0);
    for (size_t k = 0; k < sizes[i]; k++) CHECK_INT(kept[i][k], 0);
    memset(kept[i], (int)(i % 251), sizes[i]);
  }
  for (size_t i = 0; i < 400; i++) /* nobody wrote into somebody else's */
    for (size_t k = 0; k < sizes[i]; k++) CHECK_INT(kept[i][k], i % 251);
  CHECK_TEXT(rsm__arena_strdup(&arena, "text"), "text");
  CHECK(!rsm__arena_strdup(&arena, NULL));
  CHECK(memcmp(rsm__arena_copy(&arena, "ab\0c", 4), "ab\0c", 5) == 0);
  CHECK_TEXT(rsm__arena_copy(&arena, NULL, 0), "");
  CHECK(!rsm__arena_alloc(&arena, SIZE_MAX));
  CHECK(!rsm__arena_alloc(&arena, SIZE_MAX - 40));
  CHECK(!rsm__arena_copy(&arena, "", SIZE_MAX));
}

static void an_arena_can_be_used_again(void) {
  rsm__arena arena = {0};
  rsm__arena_done(&arena);
  for (int i = 0; i < 3; i++) {
    CHECK(rsm__arena_alloc(&arena, 10000));
    rsm__arena_done(&arena);
    CHECK(!arena.blocks);
  }
}

static void growing_refuses_what_overflows(void) {
  int *items = NULL;
  size_t capacity = 0;
  CHECK_INT(rsm__grow(&items, &capacity, SIZE_MAX, sizeof *items), -1);
  CHECK_INT(rsm__grow(&items, &capacity, SIZE_MAX / 4 + 1, sizeof *items), -1);
  CHECK(!items && capacity == 0);
  CHECK_INT(rsm__grow(&items, &capacity, 1, sizeof *items), 0);
  CHECK(items && capacity >= 1);
  items[0] = 7;
  size_t before = capacity;
  CHECK_INT(rsm__grow(&items, &capacity, before, sizeof *items), 0);
  CHECK_INT(capacity, before);
  CHECK_INT(rsm__grow(&items, &capacity, before + 1, sizeof *items), 0);
  CHECK_INT(capacity, 2 * before);
  CHECK_INT(items[0], 7);
  rsm__free(items);
}

static void small_requests_are_real(void) {
  void *none = rsm__malloc(0), *zero = rsm__calloc(0, 0);
  CHECK(none && zero && none != zero);
  rsm__free(none);
  rsm__free(zero);
  rsm__free(NULL);
  CHECK(!rsm__strdup(NULL));
}

#ifdef RSM_TEST_HOOKS
static void a_full_memory_is_remembered(void) {
  long before = rsm__alloc_live();
  for (unsigned long at = 1;; at++) {
    rsm__buffer buffer = {0};
    rsm__alloc_fail_at(at, 0);
    put_sample(&buffer);
    rsm__alloc_fail_at(0, 0);
    bool failed = buffer.failed;
    size_t length = buffer.length;
    if (failed) {
      rsm__buffer_put_u8(&buffer, 1); /* does nothing any more */
      CHECK_INT(buffer.length, length);
    }
    rsm__buffer_done(&buffer);
    CHECK_INT(rsm__alloc_live(), before);
    if (!failed) break;
    CHECK(at < 1000);
  }
}

static void reading_survives_a_full_memory(void) {
  RSM_CLEAN_BUFFER rsm__buffer buffer = {0};
  put_sample(&buffer);
  long before = rsm__alloc_live();
  for (unsigned long at = 1;; at++) {
    rsm__arena arena = {0};
    rsm__cursor cursor = {.data = buffer.data, .length = buffer.length};
    rsm__alloc_fail_at(at, 0);
    bool whole = read_shape(&cursor, &arena);
    rsm__alloc_fail_at(0, 0);
    rsm__arena_done(&arena);
    CHECK_INT(rsm__alloc_live(), before);
    if (whole) break;
    CHECK(at < 1000);
  }
}

static void failing_for_ever_lasts(void) {
  rsm__alloc_fail_at(2, 1);
  void *first = rsm__malloc(1);
  CHECK(first && !rsm__malloc(1) && !rsm__calloc(1, 1) && !rsm__strdup("x") && !rsm__realloc(NULL, 1));
  rsm__alloc_fail_at(0, 0);
  void *last = rsm__malloc(1);
  CHECK(last);
  rsm__free(first);
  rsm__free(last);
}
#endif

/* ---- Errors ---- */

/* Well-formed UTF-8? The texts here use two, three and four bytes a character. */
static bool is_utf8(const char *text) {
  for (const unsigned char *at = (const unsigned char *)text; *at;) {
    int more = *at < 0x80 ? 0 : *at < 0xC0 ? -1 : *at < 0xE0 ? 1 : *at < 0xF0 ? 2 : 3;
    if (more < 0) return false;
    for (at++; more > 0; more--, at++)
      if ((*at & 0xC0) != 0x80) return false;
  }
  return true;
}

/* count times a character of that many bytes, after `shift` letters: each border falls once inside a character. */
static const char *long_text(char *buf, size_t size, int bytes, size_t shift) {
  static const char *const characters[] = {"", "x", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9D\x84\x9E"};
  size_t length = 0;
  while (length < shift) buf[length++] = 'x';
  while (length + (size_t)bytes < size) {
    memcpy(buf + length, characters[bytes], (size_t)bytes);
    length += (size_t)bytes;
  }
  buf[length] = '\0';
  return buf;
}

static void texts_are_cut_between_characters(void) {
  char text[1000];
  for (int bytes = 1; bytes <= 4; bytes++)
    for (size_t shift = 0; shift < 4; shift++) {
      rsm_error error;
      long_text(text, sizeof text, bytes, shift);
      CHECK_INT(rsm__fail(&error, RSM_BUSY, text, "%s", text), RSM_BUSY);
      CHECK(is_utf8(error.subject) && is_utf8(error.detail));
      CHECK(strlen(error.subject) > sizeof error.subject - 5 && strlen(error.detail) > sizeof error.detail - 5);
      CHECK_INT(rsm__fail_call(&error, RSM_ACCESS_DENIED, "open", 13, text, text), RSM_ACCESS_DENIED);
      CHECK(is_utf8(error.subject) && is_utf8(error.os_text));
      CHECK(strlen(error.os_text) > sizeof error.os_text - 5);
      CHECK_INT(error.os_code, 13);
      CHECK_TEXT(error.call, "open");
    }
}

static void bytes_that_are_no_text_are_kept(void) {
  char path[400];
  memset(path, 0x80, sizeof path);
  path[sizeof path - 1] = '\0';
  rsm_error error;
  rsm__fail(&error, RSM_BUSY, path, NULL);
  CHECK(strlen(error.subject) > sizeof error.subject - 5); /* not cut back to nothing */
}

static void explaining_puts_words_in_front(void) {
  rsm_error error = {0};
  rsm__fail(&error, RSM_WRITE_FAULT, "/a", "the reason");
  rsm__error_explain(&error, "step %d", 2);
  CHECK_TEXT(error.detail, "step 2: the reason");
  CHECK_TEXT(error.subject, "/a");
  CHECK_INT(error.status, RSM_WRITE_FAULT);
  rsm__fail_call(&error, RSM_WRITE_FAULT, "write", 28, "No space", "/a");
  rsm__error_explain(&error, "could not be kept");
  CHECK_TEXT(error.detail, "could not be kept");
  CHECK_INT(error.os_code, 28);
  rsm__error_explain(NULL, "nobody listens");
}

static void explaining_cuts_between_characters(void) {
  char text[1000], words[1000];
  for (int bytes = 1; bytes <= 4; bytes++)
    for (size_t length = 1; length < 500; length++) {
      rsm_error error = {0};
      rsm__fail(&error, RSM_BUSY, NULL, "%s", long_text(text, sizeof text, bytes, 0));
      long_text(words, length, bytes, 0);
      rsm__error_explain(&error, "%s", words);
      CHECK(is_utf8(error.detail));
      size_t given = strlen(words), limit = sizeof error.detail;
      CHECK(strncmp(error.detail, words, given < limit - 4 ? given : limit - 4) == 0);
      if (given && given + 8 < limit) CHECK(strncmp(error.detail + given, ": ", 2) == 0);
    }
}

static void errors_read_as_one_line(void) {
  char line[1200];
  rsm_error error = {.status = RSM_FAIL_SHUTDOWN};
  CHECK_TEXT(rsm_error_format(&error, line, sizeof line), "some applications could not be shut down");
  rsm__fail(&error, RSM_FAIL_SHUTDOWN, "nginx", "1 of 2 did not stop");
  CHECK_TEXT(rsm_error_format(&error, line, sizeof line), "1 of 2 did not stop: 'nginx'");
  rsm__fail_call(&error, RSM_ACCESS_DENIED, "openat", 13, "Permission denied", "/etc/shadow");
  CHECK_TEXT(rsm_error_format(&error, line, sizeof line), "access denied: '/etc/shadow' (openat: Permission denied)");
  rsm__fail_call(&error, RSM_GEN_FAILURE, "openat", 77, NULL, NULL);
  CHECK_TEXT(rsm_error_format(&error, line, sizeof line), "the system reported an unexpected failure (openat: 77)");
}

static void a_line_is_cut_between_characters(void) {
  char text[1000], line[1200];
  for (int bytes = 2; bytes <= 4; bytes++) {
    rsm_error error;
    long_text(text, sizeof text, bytes, 0);
    rsm__fail_call(&error, RSM_ACCESS_DENIED, "openat", 13, text, text);
    rsm__error_explain(&error, "%s", text);
    for (size_t size = 1; size < sizeof line; size++) {
      memset(line, '!', sizeof line);
      CHECK(rsm_error_format(&error, line, size) == line);
      CHECK(strlen(line) < size && is_utf8(line));
      if (size < sizeof line) CHECK_INT(line[size], '!');
      if (size < 600) CHECK(strlen(line) + 4 >= size); /* not cut more than needed */
    }
  }
}

static void nobody_needs_to_listen(void) {
  CHECK_INT(rsm__fail(NULL, RSM_BUSY, "x", "%s", "y"), RSM_BUSY);
  CHECK_INT(rsm__fail_call(NULL, RSM_BUSY, "x", 1, "y", "z"), RSM_BUSY);
  CHECK_INT(rsm__fail_memory(NULL), RSM_OUT_OF_MEMORY);
  rsm_error error;
  memset(&error, 0xFF, sizeof error);
  CHECK_INT(rsm__fail_memory(&error), RSM_OUT_OF_MEMORY);
  CHECK(error.status == RSM_OUT_OF_MEMORY && !error.call && !*error.subject && !*error.detail && !*error.os_text);
}

/* ---- Statuses ---- */

static void codes_and_numbers_are_the_public_ones(void) {
  static const struct {
    rsm_status status;
    const char *code;
    int number;
  } all[] = {{RSM_OK, "success", 0},
             {RSM_PENDING, "pending", 997},
             {RSM_BAD_ARGUMENTS, "bad_arguments", 160},
             {RSM_ACCESS_DENIED, "access_denied", 5},
             {RSM_INVALID_HANDLE, "invalid_handle", 6},
             {RSM_FILE_NOT_FOUND, "file_not_found", 2},
             {RSM_NOT_FOUND, "not_found", 1168},
             {RSM_NOT_SUPPORTED, "not_supported", 50},
             {RSM_BUSY, "busy", 170},
             {RSM_NO_SUCH_SERVICE, "service_does_not_exist", 1060},
             {RSM_MAX_SESSIONS, "max_sessions_reached", 353},
             {RSM_NOACTION_REBOOT, "fail_noaction_reboot", 350},
             {RSM_FAIL_SHUTDOWN, "fail_shutdown", 351},
             {RSM_FAIL_RESTART, "fail_restart", 352},
             {RSM_OUT_OF_SEQUENCE, "request_out_of_sequence", 776},
             {RSM_CREDENTIAL_CONFLICT, "session_credential_conflict", 1219},
             {RSM_CANCELLED, "cancelled", 1223},
             {RSM_ENVVAR_NOT_FOUND, "envvar_not_found", 203},
             {RSM_INVALID_PARAMETER, "invalid_parameter", 87},
             {RSM_MORE_DATA, "more_data", 234},
             {RSM_WRITE_FAULT, "write_fault", 29},
             {RSM_OUT_OF_MEMORY, "outofmemory", 14},
             {RSM_SEM_TIMEOUT, "sem_timeout", 121},
             {RSM_INSTALL_FAILURE, "install_failure", 1603},
             {RSM_TIMEOUT, "timeout", 1460},
             {RSM_GEN_FAILURE, "gen_failure", 31}};
  CHECK_INT(RSM_COUNT(all), RSM_STATUS_COUNT);
  for (size_t i = 0; i < RSM_COUNT(all); i++) {
    CHECK_INT(all[i].status, i);
    CHECK_TEXT(rsm_status_code(all[i].status), all[i].code);
    CHECK_INT(rsm_status_number(all[i].status), all[i].number);
    CHECK(*rsm_status_message(all[i].status));
    for (size_t k = 0; k < i; k++) CHECK(strcmp(all[i].code, all[k].code) != 0 && all[i].number != all[k].number);
  }
}

static void unknown_statuses_have_words_too(void) {
  CHECK_TEXT(rsm_status_code(RSM_STATUS_COUNT), "gen_failure");
  CHECK_INT(rsm_status_number((rsm_status)-1), 31);
  CHECK(rsm_status_message((rsm_status)12345));
}

static void the_version_is_told(void) {
  CHECK_TEXT(rsm_version(), RSM_VERSION);
}

static const check_test tests[] = {
    CHECK_TEST(what_was_put_comes_back),
    CHECK_TEST(numbers_are_little_endian),
    CHECK_TEST(a_short_input_fails_and_stays_failed),
    CHECK_TEST(lies_about_lengths_fail),
    CHECK_TEST(random_input_is_survived),
    CHECK_TEST(records_are_framed),
    CHECK_TEST(processes_come_back),
    CHECK_TEST(checksums_are_crc32c),
    CHECK_TEST(arenas_align_zero_and_copy),
    CHECK_TEST(an_arena_can_be_used_again),
    CHECK_TEST(growing_refuses_what_overflows),
    CHECK_TEST(small_requests_are_real),
#ifdef RSM_TEST_HOOKS
    CHECK_TEST(a_full_memory_is_remembered),
    CHECK_TEST(reading_survives_a_full_memory),
    CHECK_TEST(failing_for_ever_lasts),
#endif
    CHECK_TEST(texts_are_cut_between_characters),
    CHECK_TEST(bytes_that_are_no_text_are_kept),
    CHECK_TEST(explaining_puts_words_in_front),
    CHECK_TEST(explaining_cuts_between_characters),
    CHECK_TEST(errors_read_as_one_line),
    CHECK_TEST(a_line_is_cut_between_characters),
    CHECK_TEST(nobody_needs_to_listen),
    CHECK_TEST(codes_and_numbers_are_the_public_ones),
    CHECK_TEST(unknown_statuses_have_words_too),
    CHECK_TEST(the_version_is_told),
};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
