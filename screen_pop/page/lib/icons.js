/**
 * The icons: lines on a 24 × 24 grid in the colour of the text around them. They always stand beside a word, so they are
 * hidden from screen readers.
 */

import { html } from './html.js';

const LINES = {
  phone: 'M6 3h3l2 5-2.5 1.5a11 11 0 0 0 6 6L16 13l5 2v3a3 3 0 0 1-3 3A15 15 0 0 1 3 6a3 3 0 0 1 3-3z',
  hangUp: 'M3 15c0-6 18-6 18 0v1.5a1.5 1.5 0 0 1-1.8 1.5l-3-.6a1.5 1.5 0 0 1-1.2-1.5V14a10 10 0 0 0-6 0v1.9a1.5 1.5 0 0 1-1.2 1.5l-3 .6A1.5 1.5 0 0 1 3 16.500z',
  hold: 'M8 5v14 M16 5v14',
  resume: 'M7 4.500v15l12-7.500z',
  transfer: 'M4 8h14 M14 4l4 4-4 4 M20 16H6 M10 20l-4-4 4-4',
  note: 'M4 20l1-4L16 5l3 3L8 19z M13.500 7.500l3 3',
  check: 'M4 12.500l5 5L20 6.500',
  cross: 'M6 6l12 12 M18 6L6 18',
  down: 'M6 9l6 6 6-6',
  right: 'M9 6l6 6-6 6',
  warning: 'M12 4L2.500 20h19z M12 10v4.500 M12 17.200v.3',
  info: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z M12 11v5.500 M12 7.500v.3',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M12 2.500v2 M12 19.500v2 M2.500 12h2 M19.500 12h2 M5.300 5.300l1.400 1.400 M17.300 17.300l1.400 1.400 M18.700 5.300l-1.400 1.400 M6.700 17.300l-1.400 1.400',
  moon: 'M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z',
  keyboard: 'M3 7h18v10H3z M7 10.500h.01 M10.500 10.500h.01 M14 10.500h.01 M17 10.500h.01 M8.500 14h7',
  leave: 'M10 4H5v16h5 M15 8l4 4-4 4 M19 12H9',
  server: 'M4 4h16v6H4z M4 14h16v6H4z M8 7h.01 M8 17h.01',
  exchange: 'M4 12h4l2-6 4 12 2-6h4',
  queue: 'M5 6h14 M5 12h14 M5 18h8',
  history: 'M4 12a8 8 0 1 0 2.500-5.800L4 8.500 M4 4v4.500h4.500 M12 8v4.500l3 2',
  user: 'M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z M4.500 20a7.500 7.500 0 0 1 15 0',
  users: 'M9 5a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z M2.500 19a6.500 6.500 0 0 1 13 0 M16 5.500a3.500 3.500 0 0 1 0 6.500 M18 13.500a6.500 6.500 0 0 1 3.500 5.500',
  search: 'M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13z M15.500 15.500L21 21',
  route: 'M6 4v7a4 4 0 0 0 4 4h9 M15 11l4 4-4 4 M6 4l-3 3 M6 4l3 3',
  link: 'M10 14a4 4 0 0 0 6 .5l3-3a4.200 4.200 0 0 0-6-6l-1 1 M14 10a4 4 0 0 0-6-.5l-3 3a4.200 4.200 0 0 0 6 6l1-1',
  open: 'M14 4h6v6 M20 4l-9 9 M18 14v6H4V6h6',
  mail: 'M3 6h18v12H3z M3 7l9 6.500L21 7',
  chat: 'M4 5h16v11H11l-4 4v-4H4z',
  letter: 'M5 3h10l4 4v14H5z M9 11h6 M9 15h6',
  hidden: 'M4 4l16 16 M10 6.300A9 9 0 0 1 21 12a12 12 0 0 1-2.600 3.300 M6.500 7.500A12 12 0 0 0 3 12a9.500 9.500 0 0 0 12 5',
  eye: 'M2.500 12C6 5.500 18 5.500 21.500 12 18 18.500 6 18.500 2.500 12z M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  pause: 'M5 8h11v5a5 5 0 0 1-5 5h-1a5 5 0 0 1-5-5z M16 9.500h2a2 2 0 0 1 0 4.500h-2 M8 3v2 M12 3v2',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z M12 7v5.500l3.500 2',
  missed: 'M5 6l7 7 7-7 M5 11V6h5',
  off: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z M6 18L18 6',
  bell: 'M6 16V11a6 6 0 0 1 12 0v5l2 2H4z M10 21h4',
};

/** @param {{name: keyof typeof LINES, size?: number}} props */
export function Icon({ name, size = 18 }) {
  return html`<svg class="icon" viewBox="0 0 24 24" width=${size} height=${size} aria-hidden="true">
    <path d=${LINES[name]} />
  </svg>`;
}
