export { foldOrder, orders, type OrderRow } from './orders.ts';
