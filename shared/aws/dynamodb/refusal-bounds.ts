import type { Item } from './item.ts';

/** So many refusals are kept whole for one serial number at each door; of later ones the last. */
export const kept = { aDay: 100, anHourOverHttps: 20 };

/** So many of all serial numbers together that nobody announced, of which a stranger can think of any number. */
export const unknownKept = { aDay: 1000, anHourOverHttps: 200 };

/** Stands for all serial numbers together that nobody announced. */
export const unannounced = '#unannounced';

/** Of refusals that are not kept whole the last one lies here. '~' sorts after every instant. */
export const lastKey = '~last';

const dayOf = (at: string): string => at.slice(0, 10);
const https = '#https-';

/** What counts the refusals of a day; '#' sorts before every instant. */
export const counterKey = (at: string): string => `#${dayOf(at)}`;

/** The open door counts for itself: what strangers do there must not use up what the claims over MQTT are kept in. */
export const httpsCounterKey = (at: string): string => `${https}${dayOf(at)}`;

/** Of a counter of the open door: what it counts hour by hour. */
export const ofHour = (name: 'refused' | 'wrongTokens', at: string): string => `${name}${at.slice(11, 13)}`;

const numberOf = (item: Item, name: string): number => Number(item[name]?.N ?? 0);

/** How many of the refusals that one serial number's counter of a day has counted were not kept whole. */
export const notKeptOf = (counter: Item): { day: string; refused: number } => {
  const key = counter.claimKey?.S ?? '';
  const day = key.slice(-dayOf('2026-11-24').length);
  const ofDay = numberOf(counter, 'refused');
  if (!key.startsWith(https)) return { day, refused: Math.max(0, ofDay - kept.aDay) };
  let before = 0;
  let whole = 0;
  for (let hour = 0; hour < 24; hour++) {
    const refused = numberOf(counter, ofHour('refused', `${day}T${String(hour).padStart(2, '0')}`));
    whole += Math.max(0, Math.min(refused, kept.anHourOverHttps, kept.aDay - before));
    before += refused;
  }
  return { day, refused: ofDay - whole };
};
