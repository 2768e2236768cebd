/** MQTT topic names and filters, within AWS IoT's limits (General Reference, "AWS IoT Core message broker limits"). */

const LONGEST_TOPIC = 256;
const MOST_SLASHES = 7;
/** `$aws/rules/<rule>/` of Basic Ingest does not count (IoT guide, "Reducing messaging costs with Basic Ingest"). */
const BASIC_INGEST = /^\$aws\/rules\/[^/]+\//;

function withinLimits(topic: string): boolean {
  const counted = topic.replace(BASIC_INGEST, '');
  return (
    topic.length > 0 && // [MQTT-4.7.3-1]
    !topic.includes('\u0000') && // [MQTT-4.7.3-2]
    Buffer.byteLength(counted) <= LONGEST_TOPIC &&
    counted.split('/').length - 1 <= MOST_SLASHES
  );
}

/** A topic that may be published to. [MQTT-3.3.2-2]: without wildcards. */
export const isTopicName = (topic: string): boolean => withinLimits(topic) && !/[+#]/.test(topic);

export function isTopicFilter(filter: string): boolean {
  if (!withinLimits(filter)) return false;
  const levels = filter.split('/');
  return levels.every((level, index) => {
    if (level.includes('#')) return level === '#' && index === levels.length - 1; // [MQTT-4.7.1-2]
    return !level.includes('+') || level === '+'; // [MQTT-4.7.1-3]
  });
}

export const isReserved = (topicOrFilter: string): boolean => topicOrFilter.startsWith('$aws/');

export const isShared = (filter: string): boolean => filter.startsWith('$share/');

export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const actual = topic.split('/');
  // [MQTT-4.7.2-1]: a wildcard in the first level never reaches `$…`.
  if (topic.startsWith('$') && wanted[0] !== actual[0]) return false;
  for (const [index, level] of wanted.entries()) {
    // AWS differs from the standard: `#` does not match its own parent level (IoT guide, "AWS IoT differences from MQTT specifications").
    if (level === '#') return actual.length > index;
    if (actual[index] === undefined) return false;
    if (level !== '+' && level !== actual[index]) return false;
  }
  return wanted.length === actual.length;
}
