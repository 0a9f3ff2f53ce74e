/* What a claimant in C says to onewinner: the stdio protocol, version 1 (specs/protocol.md).
 * A namespace is a directory, and a key is a file in it. A field is found by its name, with no look
 * at what is around it: that does for the plain names that claimants are tried with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PLACES 256 /* connections and handles are numbered in one sequence; old ones are closed */
#define WELCOME                                                                                \
    "{\"protocol\":1,\"implementation\":{\"name\":\"claimant\",\"language\":\"c\"},"           \
    "\"capabilities\":{\"scope\":\"process\",\"durable\":true,\"operations\":[\"registerIfAbsent\"]}}"

static char places[PLACES][4096]; /* the directory of each connection, and of each handle */
static char line[65536];
static char key[256], value[65536], path[8192]; /* of the claim that came last */

/* Answers where the value of a field begins; nowhere is the end of the line. */
static inline char *field(const char *name) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    char *found = strstr(line, quoted);
    return found ? found + strlen(quoted) : line + strlen(line);
}

static inline char *place(const char *name) { return places[atol(field(name)) % PLACES]; }

/* Appends the text of a field. */
static inline void append(char *to, size_t size, const char *name) {
    char *from = field(name) + 1;
    size_t used = strlen(to), length = strcspn(from, "\"");
    snprintf(to + used, size - used, "%.*s", (int)length, from);
}

static inline void say(const char *what, const char *text) {
    printf("{\"jsonrpc\":\"2.0\",\"id\":%ld,\"%s\":%s}\n", atol(field("id")), what, text);
    fflush(stdout);
}

/* Answers the request that came last: "true", "false", or whatever its result is. */
static inline void answer(const char *result) { say("result", result); }

/* Answers it with an error, after which nobody knows whether the claim was made. */
static inline void refuse(const char *message) {
    char error[512];
    snprintf(error, sizeof error, "{\"code\":-32000,\"message\":\"%s\"}", message);
    say("error", error);
}

static inline void take_claim(void) {
    *key = 0;
    append(key, sizeof key, "key");
    snprintf(path, sizeof path, "%s/%s", place("handle"), key);
    strcpy(value, field("value"));
    value[strlen(value) - strlen("}}\n")] = 0; /* it is the last that a claim says */
}

static inline void open_namespace(void) {
    snprintf(path, sizeof path, "%s/", place("connection"));
    append(path, sizeof path, "plugin");
    strcat(path, ".");
    append(path, sizeof path, "namespace");
    memcpy(place("handle"), path, sizeof places[0]);
    mkdir(path, 0700); /* where it is there already it is as good */
}

/* Serves requests until a claim comes, to be answered by whoever asked; answers 0 at the end. */
static inline int next_claim(void) {
    while (fgets(line, sizeof line, stdin)) {
        char *method = field("method") + 1;
        method[strcspn(method, "\"")] = ' ';
        if (!strncmp(method, "registerIfAbsent ", 17)) return take_claim(), 1;
        if (!strncmp(method, "bye ", 4)) return 0;
        if (!strncmp(method, "open ", 5)) open_namespace();
        if (!strncmp(method, "connect ", 8)) {
            *place("connection") = 0;
            append(place("connection"), sizeof places[0], "location");
        }
        answer(strncmp(method, "hello ", 6) ? "null" : WELCOME);
    }
    return 0;
}
