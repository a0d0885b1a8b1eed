// A program that reports to Sentry by its own SDK for Node; the DSN in SENTRY_DSN, its name in SHOP.
const Sentry = require("@sentry/node");

const name = process.env.SHOP;
Sentry.init({
  dsn: process.env.SENTRY_DSN,
  tracesSampleRate: 1,
  enableLogs: true,
  release: `${name}@2.0.0`,
  environment: "staging",
  serverName: `${name}-host`,
  traceLifecycle: process.env.LIFECYCLE || undefined,
});
Sentry.setUser({ id: "9" });
Sentry.setTag("service", name);

function fail() {
  try {
    throw new TypeError("no such thing");
  } catch (error) {
    throw new Error("order failed: secret=abcdefgh", { cause: error });
  }
}

async function main() {
  const found = {};
  await Sentry.startSpan({ op: "http.server", name: "GET /orders" }, async (span) => {
    found.trace = span.spanContext().traceId;
    Sentry.startSpan({ op: "db", name: "SELECT * FROM orders", attributes: { "db.system": "mysql" } }, () => {});
    try {
      fail();
    } catch (error) {
      const attachments = [{ filename: "core.bin", data: new Uint8Array([0, 10, 13, 255]) }];
      found.exception = Sentry.captureException(error, { attachments });
    }
  });
  Sentry.logger.error("out of bread", { shelf: 3, token: "Bearer abcdefghijklmnop" });
  Sentry.metrics.count("orders", 2, { attributes: { kind: "web" } });
  Sentry.metrics.distribution("checkout", 2.5, { unit: "millisecond" });
  // Over 32 KB the SDK compresses.
  found.message = Sentry.captureMessage("a warning 支付", { level: "warning", extra: { page: "x".repeat(60_000) } });
  found.feedback = Sentry.captureFeedback({
    message: "it broke",
    email: "ada@example.org",
    name: "Ada",
    associatedEventId: found.exception,
  });
  const job = { monitorSlug: `${name}-job` };
  const id = Sentry.captureCheckIn({ ...job, status: "in_progress" }, { schedule: { type: "interval", value: 5, unit: "minute" } });
  Sentry.captureCheckIn({ ...job, checkInId: id, status: "error", duration: 1.5 });
  Sentry.startSession();
  Sentry.captureException(new Error("in a session"));
  Sentry.endSession();
  await Sentry.close(20_000);
  process.stdout.write(JSON.stringify(found));
}

main();
