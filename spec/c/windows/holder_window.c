/* holder_window.c: the window of the program `holder`, how it looks, and how it behaves when the session is to end.
 * What it is told goes into the note: "query LPARAM", "end WPARAM LPARAM", "close". SPDX-License-Identifier: MIT */
#include "holder.h"

#include <stdlib.h>
#include <wchar.h>

#include "shell_window.h"

static struct {
  const wchar_t *kind;
  const wchar_t *look; /* NULL: it is shown */
  DWORD late_ms;
  HANDLE ready;
} window;

static bool is(const wchar_t *kind) {
  return wcscmp(window.kind, kind) == 0;
}

static void begin_end(HWND handle) {
  if (is(L"late"))
    SetTimer(handle, 1, window.late_ms, NULL);
  else if (is(L"agree") && !holder_is_deaf())
    DestroyWindow(handle);
}

static LRESULT CALLBACK on_message(HWND handle, UINT message, WPARAM wparam, LPARAM lparam) {
  switch (message) {
  case WM_QUERYENDSESSION:
    holder_note("query %llx", (unsigned long long)lparam);
    return !is(L"veto") && !holder_is_deaf();
  case WM_ENDSESSION:
    holder_note("end %llx %llx", (unsigned long long)wparam, (unsigned long long)lparam);
    if (wparam) begin_end(handle);
    return 0;
  case WM_CLOSE:
    holder_note("close");
    begin_end(handle);
    return 0;
  case WM_TIMER:
    DestroyWindow(handle);
    return 0;
  case WM_DESTROY:
    holder_ask();
    PostQuitMessage(0);
    return 0;
  default:
    return DefWindowProcW(handle, message, wparam, lparam);
  }
}

static bool looks(const wchar_t *look) {
  return window.look && wcscmp(window.look, look) == 0;
}

static HWND create(const wchar_t *class, HWND owner, bool shown) {
  HWND handle = CreateWindowExW(0, class, L"Holder", WS_OVERLAPPEDWINDOW | (shown ? WS_VISIBLE : 0), 0, 0, 200, 100,
                                owner, NULL, GetModuleHandleW(NULL), NULL);
  if (!handle) holder_die("CreateWindow", class);
  return handle;
}

static DWORD WINAPI run(void *nothing) {
  (void)nothing;
  WNDCLASSW class = {.lpfnWndProc = on_message, .hInstance = GetModuleHandleW(NULL), .lpszClassName = L"holder"};
  MSG message;
  if (!RegisterClassW(&class)) holder_die("RegisterClass", L"");
  HWND owner = looks(L"owned") ? create(L"STATIC", NULL, false) : NULL;
  HWND handle = create(class.lpszClassName, owner, !looks(L"hidden"));
  if (looks(L"shell") && !shell_window_set(handle)) holder_die("SetShellWindow", L"");
  while (PeekMessageW(&message, NULL, 0, 0, PM_REMOVE)) DispatchMessageW(&message);
  SetEvent(window.ready);
  if (is(L"hang")) Sleep(INFINITE);
  while (GetMessageW(&message, NULL, 0, 0) > 0) {
    TranslateMessage(&message);
    DispatchMessageW(&message);
  }
  return 0;
}

void holder_look(const wchar_t *look) {
  window.look = look;
  if (looks(L"hidden") || looks(L"owned") || looks(L"shell")) return;
  SetLastError(ERROR_INVALID_PARAMETER);
  holder_die("look", look);
}

void holder_open_window(const wchar_t *kind, double late) {
  window.kind = kind;
  window.late_ms = (DWORD)(late * 1000);
  if (!is(L"agree") && !is(L"veto") && !is(L"hang") && !is(L"deaf") && !is(L"late")) {
    SetLastError(ERROR_INVALID_PARAMETER);
    holder_die("window", kind);
  }
  window.ready = CreateEventW(NULL, TRUE, FALSE, NULL);
  HANDLE thread = CreateThread(NULL, 0, run, NULL, 0, NULL);
  if (!window.ready || !thread) holder_die("CreateThread", L"");
  WaitForSingleObject(window.ready, INFINITE);
  CloseHandle(thread);
}
