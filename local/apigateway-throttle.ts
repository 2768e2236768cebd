/** A token bucket, as API Gateway throttles a route: refilled at a rate, up to a burst. */
export interface Bucket {
  rate: number;
  burst: number;
  tokens: number;
  at: number;
}

/** The throttles of a stage's `RouteSettings`, by route key. */
export function bucketsOf(settings: Record<string, Record<string, unknown>>, routeKeys: string[], now: number) {
  return new Map(
    Object.entries(settings).map(([routeKey, { ThrottlingRateLimit, ThrottlingBurstLimit, ...others }]) => {
      // What a first deployment meets when the stage is made before the route.
      if (!routeKeys.includes(routeKey)) {
        throw new Error(`Unable to find Route by key ${routeKey} within the provided RouteSettings`);
      }
      const [unknown] = Object.keys(others);
      if (unknown) throw new Error(`the stand-in does not know the route setting ${unknown}`);
      const burst = Number(ThrottlingBurstLimit);
      return [routeKey, { rate: Number(ThrottlingRateLimit), burst, tokens: burst, at: now } satisfies Bucket];
    }),
  );
}

/** Takes a token; false if none is left. */
export function isWithin(bucket: Bucket | undefined, now: number): boolean {
  if (!bucket) return true;
  bucket.tokens = Math.min(bucket.burst, bucket.tokens + (Math.max(0, now - bucket.at) * bucket.rate) / 1000);
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}
