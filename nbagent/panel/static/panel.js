var Be=globalThis,tt=e=>e,me=Be.trustedTypes,nt=me?me.createPolicy("lit-html",{createHTML:e=>e}):void 0,Fe="$lit$",E=`lit$${Math.random().toFixed(9).slice(2)}$`,We="?"+E,hn=`<${We}>`,F=document,se=()=>F.createComment(""),re=e=>e===null||typeof e!="object"&&typeof e!="function",Ve=Array.isArray,lt=e=>Ve(e)||typeof e?.[Symbol.iterator]=="function",Pe=`[ 	
\f\r]`,oe=/<(?:(!--|\/[^a-zA-Z])|(\/?[a-zA-Z][^>\s]*)|(\/?$))/g,ot=/-->/g,st=/>/g,P=RegExp(`>|${Pe}(?:([^\\s"'>=/]+)(${Pe}*=${Pe}*(?:[^ 	
\f\r"'\`<>=]|("|')|))|$)`,"g"),rt=/'/g,at=/"/g,ct=/^(?:script|style|textarea|title)$/i,Ue=e=>(t,...n)=>({_$litType$:e,strings:t,values:n}),p=Ue(1),Go=Ue(2),zo=Ue(3),W=Symbol.for("lit-noChange"),f=Symbol.for("lit-nothing"),it=new WeakMap,B=F.createTreeWalker(F,129);function dt(e,t){if(!Ve(e)||!e.hasOwnProperty("raw"))throw Error("invalid template strings array");return nt!==void 0?nt.createHTML(t):t}var ut=(e,t)=>{let n=e.length-1,o=[],s,a=t===2?"<svg>":t===3?"<math>":"",r=oe;for(let l=0;l<n;l++){let i=e[l],u,c,d=-1,m=0;for(;m<i.length&&(r.lastIndex=m,c=r.exec(i),c!==null);)m=r.lastIndex,r===oe?c[1]==="!--"?r=ot:c[1]!==void 0?r=st:c[2]!==void 0?(ct.test(c[2])&&(s=RegExp("</"+c[2],"g")),r=P):c[3]!==void 0&&(r=P):r===P?c[0]===">"?(r=s??oe,d=-1):c[1]===void 0?d=-2:(d=r.lastIndex-c[2].length,u=c[1],r=c[3]===void 0?P:c[3]==='"'?at:rt):r===at||r===rt?r=P:r===ot||r===st?r=oe:(r=P,s=void 0);let g=r===P&&e[l+1].startsWith("/>")?" ":"";a+=r===oe?i+hn:d>=0?(o.push(u),i.slice(0,d)+Fe+i.slice(d)+E+g):i+E+(d===-2?l:g)}return[dt(e,a+(e[n]||"<?>")+(t===2?"</svg>":t===3?"</math>":"")),o]},ae=class e{constructor({strings:t,_$litType$:n},o){let s;this.parts=[];let a=0,r=0,l=t.length-1,i=this.parts,[u,c]=ut(t,n);if(this.el=e.createElement(u,o),B.currentNode=this.el.content,n===2||n===3){let d=this.el.content.firstChild;d.replaceWith(...d.childNodes)}for(;(s=B.nextNode())!==null&&i.length<l;){if(s.nodeType===1){if(s.hasAttributes())for(let d of s.getAttributeNames())if(d.endsWith(Fe)){let m=c[r++],g=s.getAttribute(d).split(E),$=/([.?@])?(.*)/.exec(m);i.push({type:1,index:a,name:$[2],strings:g,ctor:$[1]==="."?fe:$[1]==="?"?be:$[1]==="@"?he:U}),s.removeAttribute(d)}else d.startsWith(E)&&(i.push({type:6,index:a}),s.removeAttribute(d));if(ct.test(s.tagName)){let d=s.textContent.split(E),m=d.length-1;if(m>0){s.textContent=me?me.emptyScript:"";for(let g=0;g<m;g++)s.append(d[g],se()),B.nextNode(),i.push({type:2,index:++a});s.append(d[m],se())}}}else if(s.nodeType===8)if(s.data===We)i.push({type:2,index:a});else{let d=-1;for(;(d=s.data.indexOf(E,d+1))!==-1;)i.push({type:7,index:a}),d+=E.length-1}a++}}static createElement(t,n){let o=F.createElement("template");return o.innerHTML=t,o}};function V(e,t,n=e,o){if(t===W)return t;let s=o!==void 0?n._$Co?.[o]:n._$Cl,a=re(t)?void 0:t._$litDirective$;return s?.constructor!==a&&(s?._$AO?.(!1),a===void 0?s=void 0:(s=new a(e),s._$AT(e,n,o)),o!==void 0?(n._$Co??=[])[o]=s:n._$Cl=s),s!==void 0&&(t=V(e,s._$AS(e,t.values),s,o)),t}var ge=class{constructor(t,n){this._$AV=[],this._$AN=void 0,this._$AD=t,this._$AM=n}get parentNode(){return this._$AM.parentNode}get _$AU(){return this._$AM._$AU}u(t){let{el:{content:n},parts:o}=this._$AD,s=(t?.creationScope??F).importNode(n,!0);B.currentNode=s;let a=B.nextNode(),r=0,l=0,i=o[0];for(;i!==void 0;){if(r===i.index){let u;i.type===2?u=new Y(a,a.nextSibling,this,t):i.type===1?u=new i.ctor(a,i.name,i.strings,this,t):i.type===6&&(u=new $e(a,this,t)),this._$AV.push(u),i=o[++l]}r!==i?.index&&(a=B.nextNode(),r++)}return B.currentNode=F,s}p(t){let n=0;for(let o of this._$AV)o!==void 0&&(o.strings!==void 0?(o._$AI(t,o,n),n+=o.strings.length-2):o._$AI(t[n])),n++}},Y=class e{get _$AU(){return this._$AM?._$AU??this._$Cv}constructor(t,n,o,s){this.type=2,this._$AH=f,this._$AN=void 0,this._$AA=t,this._$AB=n,this._$AM=o,this.options=s,this._$Cv=s?.isConnected??!0}get parentNode(){let t=this._$AA.parentNode,n=this._$AM;return n!==void 0&&t?.nodeType===11&&(t=n.parentNode),t}get startNode(){return this._$AA}get endNode(){return this._$AB}_$AI(t,n=this){t=V(this,t,n),re(t)?t===f||t==null||t===""?(this._$AH!==f&&this._$AR(),this._$AH=f):t!==this._$AH&&t!==W&&this._(t):t._$litType$!==void 0?this.$(t):t.nodeType!==void 0?this.T(t):lt(t)?this.k(t):this._(t)}O(t){return this._$AA.parentNode.insertBefore(t,this._$AB)}T(t){this._$AH!==t&&(this._$AR(),this._$AH=this.O(t))}_(t){this._$AH!==f&&re(this._$AH)?this._$AA.nextSibling.data=t:this.T(F.createTextNode(t)),this._$AH=t}$(t){let{values:n,_$litType$:o}=t,s=typeof o=="number"?this._$AC(t):(o.el===void 0&&(o.el=ae.createElement(dt(o.h,o.h[0]),this.options)),o);if(this._$AH?._$AD===s)this._$AH.p(n);else{let a=new ge(s,this),r=a.u(this.options);a.p(n),this.T(r),this._$AH=a}}_$AC(t){let n=it.get(t.strings);return n===void 0&&it.set(t.strings,n=new ae(t)),n}k(t){Ve(this._$AH)||(this._$AH=[],this._$AR());let n=this._$AH,o,s=0;for(let a of t)s===n.length?n.push(o=new e(this.O(se()),this.O(se()),this,this.options)):o=n[s],o._$AI(a),s++;s<n.length&&(this._$AR(o&&o._$AB.nextSibling,s),n.length=s)}_$AR(t=this._$AA.nextSibling,n){for(this._$AP?.(!1,!0,n);t!==this._$AB;){let o=tt(t).nextSibling;tt(t).remove(),t=o}}setConnected(t){this._$AM===void 0&&(this._$Cv=t,this._$AP?.(t))}},U=class{get tagName(){return this.element.tagName}get _$AU(){return this._$AM._$AU}constructor(t,n,o,s,a){this.type=1,this._$AH=f,this._$AN=void 0,this.element=t,this.name=n,this._$AM=s,this.options=a,o.length>2||o[0]!==""||o[1]!==""?(this._$AH=Array(o.length-1).fill(new String),this.strings=o):this._$AH=f}_$AI(t,n=this,o,s){let a=this.strings,r=!1;if(a===void 0)t=V(this,t,n,0),r=!re(t)||t!==this._$AH&&t!==W,r&&(this._$AH=t);else{let l=t,i,u;for(t=a[0],i=0;i<a.length-1;i++)u=V(this,l[o+i],n,i),u===W&&(u=this._$AH[i]),r||=!re(u)||u!==this._$AH[i],u===f?t=f:t!==f&&(t+=(u??"")+a[i+1]),this._$AH[i]=u}r&&!s&&this.j(t)}j(t){t===f?this.element.removeAttribute(this.name):this.element.setAttribute(this.name,t??"")}},fe=class extends U{constructor(){super(...arguments),this.type=3}j(t){this.element[this.name]=t===f?void 0:t}},be=class extends U{constructor(){super(...arguments),this.type=4}j(t){this.element.toggleAttribute(this.name,!!t&&t!==f)}},he=class extends U{constructor(t,n,o,s,a){super(t,n,o,s,a),this.type=5}_$AI(t,n=this){if((t=V(this,t,n,0)??f)===W)return;let o=this._$AH,s=t===f&&o!==f||t.capture!==o.capture||t.once!==o.once||t.passive!==o.passive,a=t!==f&&(o===f||s);s&&this.element.removeEventListener(this.name,this,o),a&&this.element.addEventListener(this.name,this,t),this._$AH=t}handleEvent(t){typeof this._$AH=="function"?this._$AH.call(this.options?.host??this.element,t):this._$AH.handleEvent(t)}},$e=class{constructor(t,n,o){this.element=t,this.type=6,this._$AN=void 0,this._$AM=n,this.options=o}get _$AU(){return this._$AM._$AU}_$AI(t){V(this,t)}},pt={M:Fe,P:E,A:We,C:1,L:ut,R:ge,D:lt,V,I:Y,H:U,N:be,U:he,B:fe,F:$e},$n=Be.litHtmlPolyfillSupport;$n?.(ae,Y),(Be.litHtmlVersions??=[]).push("3.3.3");var k=(e,t,n)=>{let o=n?.renderBefore??t,s=o._$litPart$;if(s===void 0){let a=n?.renderBefore??null;o._$litPart$=s=new Y(t.insertBefore(se(),a),a,void 0,n??{})}return s._$AI(e),s};var vn=1500;function N(e,t="",n="Copy"){return p`<button
    type="button"
    class="nbagent-button nbagent-copy"
    aria-label=${t||f}
    .textContent=${n}
    @click=${s=>{yn(s.currentTarget,e,n)}}
  ></button>`}async function yn(e,t,n="Copy"){let o=!0;try{await navigator.clipboard.writeText(t)}catch{o=!1}e.textContent=o?"Copied":"Select it",setTimeout(()=>{e.textContent=n},vn)}var mt=new WeakSet;function ve(e){mt.has(e)||(mt.add(e),new ResizeObserver(()=>ve(e)).observe(e)),e.scrollHeight>e.clientHeight+1||e.scrollWidth>e.clientWidth+1?e.tabIndex=0:e.removeAttribute("tabindex")}function ye(e){let t=document.createElement("style");return/^[\w-]+$/.test(e??"")&&(t.textContent=`.${e}, .jp-OutputArea-child:has(.${e}) { display: none !important; }`),document.head.append(t),()=>t.remove()}async function D(e,t,n,o={}){let s=globalThis.crypto?.randomUUID?.()??`${Date.now()}-${Math.random()}`,a={...o,command:t,run_id:n,command_id:s};if(await wn(e,a))return"control";try{return e.send(a),"comm"}catch{return"none"}}async function gt(e){return(await e.widget_manager)?.kernel}async function wn(e,t){try{let n=await gt(e);if(typeof n?.sendControlMessage!="function")return!1;let s={channel:"control",header:{msg_id:t.command_id,msg_type:"nbagent_request",session:n.clientId??"",username:n.username??"",date:new Date().toISOString(),version:"5.3"},parent_header:{},metadata:{},content:t,buffers:[]},a=n.sendControlMessage(s,!0,!0);a.done?.catch?.(()=>{});let r=new Promise(i=>{a.onReply=u=>i(u.content?.status==="ok"&&u.content.heard===!0)}),l=new Promise(i=>setTimeout(i,1500,!1));return await Promise.race([r,l])}catch{return!1}}async function ft(e,t){e.on("comm_live_update",t);try{let n=await gt(e),o=new Set(["restarting","autorestarting","terminating","dead"]);n?.statusChanged?.connect((s,a)=>{o.has(a)&&t()}),n?.disposed?.connect(t)}catch{}}var xn=new Intl.NumberFormat("en-US"),Tn=new Intl.NumberFormat("en-US",{notation:"compact",maximumFractionDigits:1}),x=e=>xn.format(e),we=e=>Tn.format(e),j=(e,t)=>`${x(e)} ${t}${e===1?"":"s"}`;function G(e){let t=Math.max(0,Math.floor(e/1e3));if(t<60)return`${t} s`;let n=Math.floor(t/60)%60,o=Math.floor(t/3600),s=a=>String(a).padStart(2,"0");return o?`${o} h ${s(n)} min`:`${n} min ${s(t%60)} s`}var bt=e=>e<1e4?`${(Math.max(0,e)/1e3).toFixed(1)} s`:G(e);function ht(e,t){let n=new Date(e);if(n.toDateString()===new Date(t).toDateString())return n.toLocaleTimeString("en-GB");let o=n.getFullYear()===new Date(t).getFullYear(),s={day:"numeric",month:"short"};return n.toLocaleDateString("en-GB",o?s:{...s,year:"numeric"})}function xe(e){return e===0?"$0":e>=.1?`$${e.toLocaleString("en-US",{minimumFractionDigits:2,maximumFractionDigits:2})}`:`$${Number(e.toPrecision(2))}`}var $t=e=>e>=1?`${we(e)}/s`:`${we(60*e)}/min`;var An=new Set(["completed","error","cancelled","timeout","interrupted","incomplete"]),_n=new Set(["error","timeout","interrupted"]),A=e=>An.has(e),X=e=>_n.has(e);var Ae="nbagent-notify",kn=1e4,Sn=800,je=3,vt=()=>typeof Notification=="function"&&Notification.permission!=="denied"&&!!navigator.locks;function Ge(){try{return vt()&&Notification.permission==="granted"&&localStorage.getItem(Ae)==="on"}catch{return!1}}async function Cn(){let e=!Ge()&&await Notification.requestPermission()==="granted";try{localStorage.setItem(Ae,e?"on":"off")}catch{return}for(let t of document.querySelectorAll(".nbagent-bell"))t.setAttribute("aria-pressed",String(e))}function _e(){return vt()?p`<button
    type="button"
    class="nbagent-button nbagent-bell"
    title="Notify me when a run ends or waits for me"
    aria-label="Notify me when a run ends or waits for me"
    aria-pressed=${Ge()}
    @click=${()=>{Cn()}}
  ></button>`:f}function ie(e,t){return e===void 0||e===t||A(e)?null:t==="paused"?"waits":A(t)?"ended":null}function Rn(e){let t=e.filter(r=>r.status==="paused").length,[n]=e;if(n&&e.length===1)return[t?`${n.title} waits for you`:`${n.title}: ${n.status}`,"nbagent"];let o=e.slice(0,je).map(r=>`${r.title}: ${r.status==="paused"?"waits for you":r.status}`);e.length>je&&o.push(`and ${e.length-je} more`);let s=e.length-t;return[[t?`${j(t,"run")} ${t===1?"waits":"wait"} for you`:"",s?`${j(s,"run")} ended`:""].filter(Boolean).join(", "),o.join(`
`)]}var Te=[];function le(e,t,n){Ge()&&navigator.locks.request(`${Ae} ${e} ${t}`,{ifAvailable:!0},async o=>{o&&(Te.push(n),Te.length===1&&setTimeout(Mn,Sn),await new Promise(s=>setTimeout(s,kn)))})}function Mn(){let[e,t]=Rn(Te);Te=[];let n=new Notification(e,{body:t,tag:`${Ae} ${e}`});n.onclick=()=>window.focus()}var z=class{constructor(t,n=()=>performance.now()){this.askWhole=t;this.now=n}askWhole;now;#e=-1;#t=-1/0;get seq(){return this.#e}restart(t){this.#e=t}accept(t){return typeof t!="number"||t<=this.#e?!1:t!==this.#e+1?(this.resync(),!1):(this.#e=t,!0)}resync(){this.now()-this.#t<1e3||(this.#t=this.now(),this.askWhole())}};var yt={ATTRIBUTE:1,CHILD:2,PROPERTY:3,BOOLEAN_ATTRIBUTE:4,EVENT:5,ELEMENT:6},ke=e=>(...t)=>({_$litDirective$:e,values:t}),J=class{constructor(t){}get _$AU(){return this._$AM._$AU}_$AT(t,n,o){this._$Ct=t,this._$AM=n,this._$Ci=o}_$AS(t,n){return this.update(t,n)}update(t,n){return this.render(...n)}};var{I:En}=pt,wt=e=>e;var xt=()=>document.createComment(""),Q=(e,t,n)=>{let o=e._$AA.parentNode,s=t===void 0?e._$AB:t._$AA;if(n===void 0){let a=o.insertBefore(xt(),s),r=o.insertBefore(xt(),s);n=new En(a,r,e,e.options)}else{let a=n._$AB.nextSibling,r=n._$AM,l=r!==e;if(l){let i;n._$AQ?.(e),n._$AM=e,n._$AP!==void 0&&(i=e._$AU)!==r._$AU&&n._$AP(i)}if(a!==s||l){let i=n._$AA;for(;i!==a;){let u=wt(i).nextSibling;wt(o).insertBefore(i,s),i=u}}}return n},H=(e,t,n=e)=>(e._$AI(t,n),e),On={},Se=(e,t=On)=>e._$AH=t,Tt=e=>e._$AH,Ce=e=>{e._$AR(),e._$AA.remove()};var At=(e,t,n)=>{let o=new Map;for(let s=t;s<=n;s++)o.set(e[s],s);return o},Re=ke(class extends J{constructor(e){if(super(e),e.type!==yt.CHILD)throw Error("repeat() can only be used in text expressions")}dt(e,t,n){let o;n===void 0?n=t:t!==void 0&&(o=t);let s=[],a=[],r=0;for(let l of e)s[r]=o?o(l,r):r,a[r]=n(l,r),r++;return{values:a,keys:s}}render(e,t,n){return this.dt(e,t,n).values}update(e,[t,n,o]){let s=Tt(e),{values:a,keys:r}=this.dt(t,n,o);if(!Array.isArray(s))return this.ut=r,a;let l=this.ut??=[],i=[],u,c,d=0,m=s.length-1,g=0,$=a.length-1;for(;d<=m&&g<=$;)if(s[d]===null)d++;else if(s[m]===null)m--;else if(l[d]===r[g])i[g]=H(s[d],a[g]),d++,g++;else if(l[m]===r[$])i[$]=H(s[m],a[$]),m--,$--;else if(l[d]===r[$])i[$]=H(s[d],a[$]),Q(e,i[$+1],s[d]),d++,$--;else if(l[m]===r[g])i[g]=H(s[m],a[g]),Q(e,s[d],s[m]),m--,g++;else if(u===void 0&&(u=At(r,g,$),c=At(l,d,m)),u.has(l[d]))if(u.has(l[m])){let h=c.get(r[g]),y=h!==void 0?s[h]:null;if(y===null){let T=Q(e,s[d]);H(T,a[g]),i[g]=T}else i[g]=H(y,a[g]),Q(e,s[d],y),s[h]=null;g++}else Ce(s[m]),m--;else Ce(s[d]),d++;for(;g<=$;){let h=Q(e,i[$+1]);H(h,a[g]),i[g++]=h}for(;d<=m;){let h=s[d++];h!==null&&Ce(h)}return this.ut=r,Se(e,i),W}});var _t={approve:"Approve",deny:"Deny"},Nn={approve:"approving…",deny:"denying…",gone:"kernel is gone"};function kt(e,t,n){return p`<div class="nbagent-approvals" ?hidden=${!e.length}>
    ${Re(e,Me,o=>{let s=t.get(Me(o)),a=r=>p`<button
          type="button"
          class=${`nbagent-button nbagent-${r}`}
          aria-label=${`${_t[r]} ${o.by?`for ${o.by}: `:""}${o.call}`}
          aria-disabled=${s!==void 0}
          @click=${()=>n(o,r)}
        >${_t[r]}</button>`;return p`<div class="nbagent-approval">
        <div class="nbagent-asking">
          <span class="nbagent-by" ?hidden=${!o.by}>${o.by}</span><code class="nbagent-asked">${o.call}</code>
        </div>
        <div class="nbagent-choice">
          ${a("approve")}${a("deny")}<span class="nbagent-said">${s?Nn[s]:""}</span>
        </div>
      </div>`})}
  </div>`}var St=ke(class extends J{constructor(){super(...arguments),this.key=f}render(e,t){return this.key=e,t}update(e,[t,n]){return t!==this.key&&(Se(e),this.key=t),n}});var Dn=[["table","Table"],["tree","Tree"]],Hn=3,In=20;function Ct(e,t,n){let o=t??e.form;return p`<div class="nbagent-structured" ?hidden=${!e.form}>
    <div class="nbagent-forms" role="group" aria-label="show the answer as" ?hidden=${!e.table||!e.tree}>
      ${Dn.map(([s,a])=>p`<button type="button" class="nbagent-group" aria-pressed=${s===o} @click=${()=>n(s)}>${a}</button>`)}
    </div>
    <div class="nbagent-form" role="region" aria-label="structured answer">
      ${o==="tree"&&e.tree?Rt(e.tree.kids??[],1):e.table?Ln(e.table):f}
    </div>
    <p class="nbagent-more" ?hidden=${o==="tree"||!e.more}>${e.more}</p>
  </div>`}function Ln({columns:e,numeric:t,cells:n}){let o=s=>t[s]?"nbagent-number":"";return p`<table>
    <thead>
      <tr>${e.map((s,a)=>p`<th scope="col" class=${o(a)}>${s}</th>`)}</tr>
    </thead>
    <tbody>
      ${n.map(s=>p`<tr>${s.map((a,r)=>p`<td class=${o(r)}>${a}</td>`)}</tr>`)}
    </tbody>
  </table>`}function Rt(e,t){return p`<ul class="nbagent-tree">
    ${e.map(({name:n,kind:o,text:s,note:a,kids:r})=>{if(!r){let i=n?p`<span class="nbagent-key">${n}</span>`:f;return p`<li class="nbagent-leaf-line">${i}<span class="nbagent-leaf" data-kind=${o}>${s}</span></li>`}let l=t<Hn&&r.length<=In;return St(`${n} ${r.length}`,p`<li>
          <details ?open=${l}>
            <summary><span class="nbagent-key">${n}</span><span class="nbagent-note">${a}</span></summary>
            ${Rt(r,t+1)}
          </details>
        </li>`)})}
  </ul>`}var Pn=32,Bn={ready:"Cancel",heard:"cancelling…",waiting:"waits for the kernel",gone:"kernel is gone"};function Mt(e,t,n){let o=document.createTextNode(""),s=document.createElement("div");s.className="nbagent-answer",s.setAttribute("role","region"),s.setAttribute("aria-label","answer"),s.append(o);let a=null,r=null;e.classList.add("nbagent");let l=d=>{a=d,r=null,i()},i=()=>{let d=e.querySelector(".nbagent-card"),m=d?.contains(document.activeElement)?document.activeElement:null;if(k(Fn(t,s,a,n,l),e),m&&(!m.isConnected||m.hidden)&&d?.focus({preventScroll:!0}),r!==t.row){r=t.row;for(let $ of e.querySelectorAll(".nbagent-prose, .nbagent-form"))ve($)}},u=d=>{let m=s.scrollHeight-s.scrollTop-s.clientHeight<Pn;d===null||o.length+d.length!==t.text.length?o.data=t.text:d&&o.appendData(d),s.hidden=!t.text||!!t.row.html,m&&!t.row.final&&(s.scrollTop=s.scrollHeight),ve(s)},c=setInterval(()=>t.row.final||i(),1e3);return{update(d){i(),u(d)},end:()=>clearInterval(c)}}function Fn(e,t,n,o,s){let{row:a}=e;return p`<section class="nbagent-card" tabindex="-1" data-status=${a.status} aria-label=${`run ${a.title}`}>
    ${Wn(e,o)}
    <p class="nbagent-banner" ?hidden=${!a.banner}>${a.banner}</p>
    <div class="nbagent-body">
      ${Vn(a.members)}
      <p class="nbagent-waiting" ?hidden=${!a.waiting}>${a.waiting}</p>
      ${kt(a.approvals,e.decided,o.decide)} ${Ct(a,n,s)}
      <div
        class="nbagent-prose"
        role="region"
        aria-label="answer"
        ?hidden=${!a.html}
        .innerHTML=${a.html??""}
      ></div>
      ${a.form?f:t}
      <details class="nbagent-raw" ?hidden=${!a.form}>
        <summary>raw answer</summary>
        ${a.form?t:f}
      </details>
      ${Un(a)}
      <div class="nbagent-error" ?hidden=${!a.error.some(Boolean)}>
        ${a.error.filter(Boolean).map((r,l)=>p`<p class=${l?"nbagent-todo":"nbagent-what"}>${r}</p>`)}
      </div>
    </div>
    ${jn(a)}
  </section>`}function Wn({row:e,cancel:t,beganAt:n},o){let s=e.began_ms===null?"":G(performance.now()-n),a=Bn[t];return p`<header class="nbagent-head">
    <span class="nbagent-status" role="status" aria-live="polite"
      ><span class="nbagent-chip">${e.reason?`${e.status}: ${e.reason}`:e.status}</span></span
    >
    <div class="nbagent-names">
      <span class="nbagent-title">${e.title}</span
      ><span class="nbagent-origin">${[e.agent,e.model].filter(Boolean).join(" · ")}</span>
    </div>
    <span class="nbagent-elapsed">${e.final?e.took:s}</span>
    ${e.final?f:_e()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel"
      ?hidden=${e.final}
      aria-disabled=${t!=="ready"}
      aria-label=${t==="ready"?`Cancel ${e.title}`:a}
      @click=${o.cancel}
    >${a}</button>
  </header>`}function Vn(e){return p`<ul class="nbagent-members" aria-label="members" ?hidden=${!e.length}>
    ${e.map(t=>p`<li class="nbagent-member" data-status=${t.status} style=${`padding-inline-start: ${(t.depth-1)*1.5}em`}>
          <span class="nbagent-name">${t.name}</span><span class="nbagent-state">${t.status}</span
          ><span class="nbagent-value">${t.tokens}</span>
        </li>`)}
  </ul>`}function Un(e){let t=[...e.calls.map(n=>["call",n]),...e.called?[["called",e.called]]:[],...e.retry?[["retry",e.retry]]:[],...e.notices.map(n=>["notice",n])];return p`<div class="nbagent-activity" ?hidden=${!t.length}>
    ${t.map(([n,o])=>p`<p class=${`nbagent-${n}`}>${o}</p>`)}
  </div>`}function jn(e){return p`<footer class="nbagent-foot">
    <div class="nbagent-facts" ?hidden=${!e.facts.length}>
      ${e.facts.map(([t,n])=>p`<span class="nbagent-fact" title=${n==="?"?"the provider did not say":f}
            ><span class="nbagent-name">${t} </span><span class="nbagent-value">${n}</span></span
          >`)}
    </div>
    <div class="nbagent-access">
      <code class="nbagent-code">${e.code}</code>${N(e.code,`Copy ${e.code}`)}
    </div>
  </footer>`}var Me=e=>`${e.run_id} ${e.step} ${e.tool_call_id}`,Gn={run_id:"",title:"",agent:"",model:"",banner:"",status:"pending",reason:"",final:!1,began_ms:null,waiting:"",approvals:[],calls:[],called:"",members:[],retry:"",notices:[],error:[],table:null,tree:null,more:"",form:"",html:null,took:"",facts:[],code:""};function Ee(){let e={row:Gn,text:"",beganAt:0,cancel:"ready",decided:new Map},t=new Set,n=new z(()=>{}),o=c=>t.forEach(d=>d.update(c)),s=c=>{e.beganAt=performance.now()-Math.max(0,c-(e.row.began_ms??c))},a=c=>{let d=e.row.run_id===c.run_id?e.row.status:void 0;e.row=c;let m=ie(d,c.status);m&&le(c.run_id,m,c)},r=c=>{c?.row&&(n.restart(c.seq),a(c.row),e.text=c.text,e.decided.clear(),s(c.now_ms),o(null))},l=c=>{n.accept(c?.seq)&&(c.row&&(a(c.row),s(c.now_ms)),e.text+=c.append,o(c.append))},i=async c=>{if(e.cancel!=="ready"||e.row.final)return;e.cancel="heard",o("");let d=await D(c,"cancel",e.row.run_id);d==="none"?e.cancel="gone":d==="comm"&&setTimeout(()=>{e.cancel==="heard"&&(e.cancel="waiting"),o("")},3e3),o("")},u=async(c,d,m)=>{let g=Me(d);if(e.decided.has(g)||e.row.final)return;e.decided.set(g,m),o("");let $={tool_call_id:d.tool_call_id,step:d.step,card:e.row.run_id};await D(c,m,d.run_id,$)==="none"&&e.decided.set(g,"gone"),o("")};return{initialize(c){n=new z(()=>{D(c,"resend",e.row.run_id)}),r(c.get("card")),c.on("change:card",()=>r(c.get("card"))),c.on("msg:custom",l)},render(c,d){let m=Mt(d,e,{cancel:()=>{i(c)},decide:($,h)=>{u(c,$,h)}}),g=ye(c.get("key"));return t.add(m),m.update(null),()=>{t.delete(m),m.end(),g()}}}}function Et(e){let t=new Map,n=(l,i)=>(t.get(l)??[]).forEach(u=>u(i)),o=new Set,s=Ee(),a={get:l=>({card:r.card,key:""})[l],on:(l,i)=>{t.set(l,[...t.get(l)??[],i])},send:l=>e.send(l),get widget_manager(){return e.widget_manager}},r={card:null,details:null,hear(l){if("card"in l){let i=r.card===null;r.card=l.card,i?s.initialize(a):n("change:card")}else"details"in l?r.details=l.details:n("msg:custom",l);o.forEach(i=>i())},follow(l){return o.add(l),()=>{o.delete(l)}},renderCard:l=>s.render(a,l)};return r}var zn=60*1e3,Kn=3e3,Ot=(e,t,n="",o)=>({key:e,line:t,batchId:n,kids:t?null:[],sums:null,told:o,unfolded:!1});function Oe(e,t){let n=new Map;for(let[a,r]of e)n.set(a,Ot(a,r));let o=[],s=new Map;for(let a of n.values()){let r=a.line.row,l=r.parent===null?void 0:n.get(r.parent);if(l&&l!==a)(l.kids??=[]).push(a);else if(r.batch){let i=s.get(r.batch);i||(i=Ot(`batch ${r.batch}`,null,r.batch,t.get(r.batch)),s.set(r.batch,i),o.push(i)),i.kids?.push(a)}else o.push(a)}return o}var Dt=e=>({status:e.status,title:e.title,model:e.model,created:e.created_ms,began:e.began_ms,ended:e.ended_ms,tokens:e.tokens,cost:e.cost,priced:e.priced,of:0,open:0,waiting:+(e.status==="paused"),failed:0,cancelled:0,ends:[],rate:null,endless:!1});function O(e){return e.line&&!e.kids?Dt(e.line.row):e.sums??=qn(e)}function qn(e){let t=(e.kids??[]).map(O),n=e.line?Dt(e.line.row):null,o=n?[n,...t]:t,s=d=>o.map(m=>m[d]).filter(m=>m!==null),a=d=>{let m=s(d);return m.length?m.reduce((g,$)=>g+$,0):null},r=t.filter(d=>d.status==="cancelled").length,l=e.told?Xn(e.told,r):null,i=l?l.open:t.filter(d=>!A(d.status)).length,u=o.map(d=>d.priced).filter(d=>d!==null),c=s("ended");return{status:n?n.status:Yn(t,i,!!l?.cancelled),title:n?.title??t[0]?.title??"batch",model:n?.model??t[0]?.model??"",created:n?n.created:Nt(s("created")),began:n?n.began:Nt(s("began")),ended:n?n.ended:i?null:Qn(c),tokens:a("tokens"),cost:a("cost"),priced:u.length?u.every(Boolean):null,of:t.length,open:i,waiting:o.reduce((d,m)=>d+m.waiting,0),failed:t.filter(d=>X(d.status)).length,cancelled:r,ends:c,rate:null,endless:!1,...l}}function Yn(e,t,n){if(t)return"running";let o=new Set(e.map(s=>s.status));return n&&o.add("cancelled"),o.size===1?e[0]?.status??"incomplete":"incomplete"}function Xn({total:e,done:t,failed:n,not_asked:o,rate:s,finished:a,tokens:r,cost:l},i){let u=t+n+o,c=a?0:Math.max(1,(e??u+1)-u),d=a?Math.min(n,i):0;return{of:u+c,open:c,failed:n-d,cancelled:d+o,rate:s,endless:e===null,...r===null?{}:{tokens:r},...l===null?{}:{cost:l}}}function Jn({began:e,ended:t,ends:n,of:o,rate:s},a){if(s!==null)return s;if(e===null||!n.length)return 0;if(t!==null)return t>e?1e3*o/(t-e):0;let r=Math.max(e,a-zn),l=n.reduce((i,u)=>i+ +(u>=r),0);return a-r<1e3?0:1e3*l/(a-r)}function Ht(e,t){let n=e.of-e.open,o=Jn(e,t),s=e.open>0&&!e.endless;return[e.endless?x(n):e.open?`${x(n)} of ${x(e.of)}`:`all ${x(e.of)} ended`,e.waiting?`${x(e.waiting)} ${e.waiting===1?"waits":"wait"} for you`:"",e.failed?`${x(e.failed)} failed`:"",e.cancelled?`${x(e.cancelled)} cancelled`:"",s?`${x(e.open)} left`:"",o?$t(o):"",o&&s&&e.began!==null&&t-e.began>=Kn?`${G(1e3*e.open/o)} to go`:""].filter(Boolean)}function Ke(e){for(let t of e)t.kids&&(t.sums=null,Ke(t.kids))}var Nt=e=>e.length?e.reduce((t,n)=>n<t?n:t):null,Qn=e=>e.length?e.reduce((t,n)=>n>t?n:t):null;var It={command:null,word:""},Zn=new Set(["error","timeout","interrupted"]),eo={cancel:"cancelling…",cancel_batch:"cancelling…",retry:"retrying…",retry_batch:"retrying…",resume:"resuming…",approve:"approving…",deny:"denying…"},qe=e=>e.line?e.key:e.batchId,Ne=e=>e==="cancel"||e==="cancel_batch";function K(e,t){if(t.gone)return It;let n=t.asked.get(qe(e));if(n)return{command:null,word:n.how==="waiting"?"waiting…":eo[n.name]??"…"};let{status:o}=O(e);return A(o)?e.told?.failed?{command:"retry_batch",word:"Retry"}:!e.line||e.line.row.parent?It:Zn.has(o)?{command:"resume",word:"Resume"}:{command:"retry",word:"Retry"}:{command:e.line?"cancel":"cancel_batch",word:"Cancel"}}function Pt(e,t){let{setup:n,steps:o,messages:s}=e,a=e.left?p`<p class="nbagent-more">${x(e.left)} earlier messages are in the store</p>`:f;return[n.instructions||n.tools.length||n.settings.length?Z("Setup",0,!1,to(n)):f,o.rows.length?Z("Steps",o.rows.length,!0,oo(o.rows,t)):f,e.traceback?Z("Traceback",0,!1,q(e.traceback)):f,s.length?Z("Messages",s.length+e.left,!1,[a,s.map(ro)]):e.prompt?Z("Prompt",0,!1,q(e.prompt)):f,Z("About",0,!1,[Bt(e.about),ao(e.code)])]}function Z(e,t,n,o){let s=t?p`<span class="nbagent-count"> ${x(t)}</span>`:f;return p`<details class="nbagent-section" data-name=${e} ?open=${n}>
    <summary>${e}${s}</summary>
    <div class="nbagent-section-body">${o}</div>
  </details>`}function to({instructions:e,tools:t,settings:n}){return[e?p`<p class="nbagent-label">System prompt</p>${q(e)}`:f,t.length?p`<p class="nbagent-label">Tools</p>`:f,p`${t.map(o=>p`<details class="nbagent-tool">
          <summary><code class="nbagent-tool-call">${o.name}</code><span class="nbagent-tool-note">${no(o.description)}</span></summary>
          ${o.description.includes(`
`)?q(o.description):f}${q(o.parameters)}
        </details>`)}`,n.length?p`<p class="nbagent-label">Settings</p>${Bt(n)}`:f]}var no=e=>e.split(`
`,1)[0]??"",Lt=e=>[e.kind,e.depth,e.step,e.at_ms,e.name].join(" ");function oo(e,{open:t,toggle:n,span:o}){return p`<ol class="nbagent-steps">
    ${Re(e,Lt,s=>{let a=Lt(s),r=`left: ${100*s.at_ms/o}%; width: ${Math.max(.6,100*s.ms/o)}%`,l=s.status==="completed"||s.kind==="pause"?"":`${s.status} · `,i=s.kind==="model"?`${s.step} · ${s.name}`:s.name;return p`<li class="nbagent-step" data-kind=${s.kind} data-status=${s.status} style=${`--nb-depth: ${s.depth}`}>
        <button type="button" class="nbagent-step-head" aria-expanded=${t.has(a)} @click=${()=>n(a)}>
          <span class="nbagent-step-name" title=${i}>${i}</span>
          <span class="nbagent-track" aria-hidden="true"><span class="nbagent-bar" style=${r}></span></span>
          <span class="nbagent-step-note">${l+s.note}</span>
        </button>
        ${t.has(a)?so(s):f}
      </li>`})}
  </ol>`}function so(e){let t=(n,o)=>{let s=o.filter(a=>a.text);return s.length?p`${s.map(({role:a,text:r})=>p`<p class="nbagent-label">${a===n?n:`${n}: ${a}`}</p>${q(r)}`)}`:f};return p`<div class="nbagent-step-body">
    ${e.about?p`<p class="nbagent-more">${e.about}</p>`:f} ${t("in",e.given)} ${t("out",e.came)}
  </div>`}function ro(e){return p`<div class="nbagent-message">
    <p class="nbagent-label">${[e.role,e.name].filter(Boolean).join(" · ")}</p>
    ${e.text?q(e.text):f}
    ${e.calls.map(t=>p`<p class="nbagent-call">calls ${t}</p>`)}
    ${e.files.map(t=>p`<p class="nbagent-more">${t}</p>`)}
  </div>`}function q(e){return p`<div class="nbagent-block">
    <pre class="nbagent-block-text" tabindex="0">${e}</pre>
    ${N(e)}
  </div>`}function Bt(e){return p`<dl class="nbagent-pairs">${e.map(([t,n])=>p`<dt>${t}</dt><dd>${n}</dd>`)}</dl>`}function ao(e){return p`<p class="nbagent-access">
    <code class="nbagent-code">${e}</code>${N(e,`Copy ${e} from the list`)}
  </p>`}function Ft(e,t,n){let{run:o,close:s}=n,a=new Set,r=m=>{a.delete(m)||a.add(m),c()},l=document.createElement("article");l.className="nbagent-opened",l.setAttribute("aria-label","opened run"),l.addEventListener("keydown",m=>{m.key==="Escape"&&s()});let i=document.createElement("div");i.className="nbagent-opened-card";let u=null;e.append(l);let c=()=>{k(io(t,i,n,{open:a,toggle:r,span:n.span()}),l),o.card&&!u&&(u=o.renderCard(i))},d=o.follow(n.redraw);return c(),requestAnimationFrame(()=>l.scrollIntoView({block:"nearest",behavior:"auto"})),{update:c,end(){d(),u?.(),l.remove()}}}function io(e,t,n,o){let{state:s,run:a,command:r,close:l}=n,i=s.rows.get(e),[u]=i?Oe(new Map([[e,i]]),new Map):[],{command:c,word:d}=u?.line?K(u,s):{command:null,word:""},m=d&&!Ne(c)&&d!=="cancelling…",g=s.gone?"It cannot be opened: the kernel is gone.":"Opening…";return p`<div class="nbagent-opened-bar">
      <p class="nbagent-opened-id">${i?i.row.prompt||i.row.title:e}</p>
      <button
        type="button"
        class="nbagent-button nbagent-again"
        ?hidden=${!m}
        aria-disabled=${!c}
        @click=${()=>c&&r(c,e)}
      >${d}</button>
      ${lo(a.details)}
      <button
        type="button"
        class="nbagent-button nbagent-compare"
        title="The next run that you open stands beside this one"
        aria-pressed=${n.comparing()}
        @click=${n.compare}
      >Compare</button>
      <button type="button" class="nbagent-button nbagent-shut" @click=${l}>Close</button>
    </div>
    <p class="nbagent-waiting" ?hidden=${a.card!==null}>${g}</p>
    ${t}
    <div class="nbagent-sections">${a.details?Pt(a.details,o):f}</div>`}function lo(e){if(!e)return f;let t=e.answer?N(e.answer,"","Copy answer"):f;return p`${t}${N(e.code,`Copy ${e.code}`,"Copy code")}`}var ee=e=>!!e[4]||X(e[2]),co=([,e,t,,n,,o],s)=>[e,t,n,s,...o].join(`
`).toLowerCase();function Wt(e,t,n){let o=t.text.toLowerCase().split(/\s+/).filter(Boolean);return[...e].filter(a=>{if(t.group!=="all"&&ee(a)!==(t.group==="failed"))return!1;if(!o.length)return!0;let r=co(a,n(a));return o.every(l=>r.includes(l))}).sort((a,r)=>Number(ee(r))-Number(ee(a))||a[0]-r[0])}function Vt(e,t){return t.map((n,o)=>{let s=e.map(a=>a[6][o]).filter(a=>a!=null);return s.length>0&&s.every(a=>typeof a=="number")})}var ce=30,jt=10,Ut=6,uo=[["all","All rows"],["failed","Failed"],["answered","Answered"]];function Gt(e,t){let n={text:"",group:"all"},o=document.createElement("div");o.className="nbagent-items",o.hidden=!0;let s=[],a=[],r=[],l=0,i=g=>g[3]===null?"":e.rows.get(g[3])?.row.prompt??"",u=()=>{s=Wt(e.items.values(),n,i),a=Vt(s.slice(0,200),e.fields)},c=()=>{u();let g=o.querySelector(".nbagent-items-home");g&&(g.scrollTop=0),d()},d=()=>{l=0;let $=o.querySelector(".nbagent-items-home")?.scrollTop??0,h=Math.max(0,Math.floor($/ce)-Ut),y=h+jt+2*Ut;k(po({state:e,want:n,found:s,numeric:a,opened:r,first:h,last:y,promptOf:i,refind:c,paintSoon:m,on:t}),o)},m=()=>{l||=requestAnimationFrame(d)};return{el:o,draw(g){r=g,o.hidden=!e.items.size,!o.hidden&&(u(),d())}}}function po(e){let{state:t,found:n,numeric:o,first:s,last:a}=e,r=t.ended-t.items.size,l=`minmax(60px, 0.7fr) minmax(80px, 1.6fr) ${"minmax(60px, 1fr) ".repeat(Math.max(1,t.fields.length))}`,i=Math.min(jt,Math.max(1,n.length))*ce+ce+2;return p`${mo(t.counts)} ${go(e)}
    <div
      class="nbagent-items-home"
      role="table"
      aria-label="rows of the batch"
      aria-rowcount=${n.length+1}
      tabindex="0"
      style=${`height: ${i}px; --nb-columns: ${l}`}
      @scroll=${e.paintSoon}
    >
      <div role="rowgroup" class="nbagent-items-head">
        <div class="nbagent-item" role="row">
          <div class="nbagent-cell" role="columnheader">Row</div>
          <div class="nbagent-cell nbagent-item-prompt" role="columnheader">Prompt</div>
          ${t.fields.map((u,c)=>p`<div class=${`nbagent-cell ${o[c]?"nbagent-number":""}`} role="columnheader">${u}</div>`)}
          ${t.fields.length?f:p`<div class="nbagent-cell" role="columnheader">Answer</div>`}
        </div>
      </div>
      <div role="rowgroup" class="nbagent-items-rows" style=${`height: ${n.length*ce}px`}>
        ${n.slice(s,a).map((u,c)=>bo(u,s+c,e))}
      </div>
    </div>
    ${n.length?f:p`<p class="nbagent-more">No row matches.</p>`}
    ${r>0?p`<p class="nbagent-more">${x(t.items.size)} of ${x(t.ended)} rows are listed; to_frame() has all</p>`:f}`}function mo(e){return e.length?p`<div class="nbagent-counts">
    ${e.map(([t,n])=>{let o=Math.max(...n.map(([,s])=>s));return p`<div class="nbagent-kinds" role="list" aria-label=${`answers by ${t}`}>
        <p class="nbagent-label" aria-hidden="true">${t}</p>
        ${n.map(([s,a])=>p`<div class="nbagent-kind" role="listitem">
              <span class="nbagent-kind-name" title=${s}>${s||"(empty)"}</span
              ><span class="nbagent-kind-track" aria-hidden="true"
                ><span class="nbagent-kind-bar" style=${`width: ${100*a/o}%`}></span></span
              ><span class="nbagent-kind-count">${x(a)}</span>
            </div>`)}
      </div>`})}
  </div>`:f}function go({state:e,want:t,refind:n,on:o}){let s=[...e.items.values()].filter(ee).length,a={all:e.items.size,failed:s,answered:e.items.size-s},r=l=>{t.group=l,n()};return p`<div class="nbagent-filters" role="search">
    <div class="nbagent-groups" role="group" aria-label="Rows">
      ${uo.map(([l,i])=>p`<button type="button" class="nbagent-group" aria-pressed=${t.group===l} @click=${()=>r(l)}>${i}<span class="nbagent-count"> ${x(a[l])}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search rows"
      spellcheck="false"
      aria-label="Search rows by text"
      .value=${t.text}
      @input=${l=>{t.text=l.target.value,n()}}
    />
    ${fo(e,s,o)}
  </div>`}function fo(e,t,n){let o=e.only??"";if(!t||e.gone||!e.batches.get(o)?.finished)return f;let s=e.asked.has(o);return p`<button
    type="button"
    class="nbagent-button"
    aria-disabled=${s}
    @click=${()=>n.command("retry_batch",o)}
  >${s?"retrying…":`Retry ${x(t)} failed`}</button>`}function bo(e,t,{state:n,numeric:o,opened:s,promptOf:a,on:r}){let[,l,i,u,c,d,m]=e,g=u!==null&&n.rows.has(u)?p`<button type="button" class="nbagent-link" aria-expanded=${s.includes(u)} @click=${()=>r.openRun(u)}>${l}</button>`:l,$=ee(e),h=$||!n.fields.length;return p`<div
    class="nbagent-item"
    role="row"
    aria-rowindex=${t+2}
    data-status=${$?"error":i}
    style=${`transform: translateY(${t*ce}px)`}
  >
    <div class="nbagent-cell" role="cell"><span class="nbagent-chip" title=${i}></span>${g}</div>
    <div class="nbagent-cell nbagent-item-prompt" role="cell">${a(e)||(d?"from an earlier run":"")}</div>
    ${h?p`<div class="nbagent-cell nbagent-item-error" role="cell" title=${c}>${c||i}</div>`:n.fields.map((y,T)=>p`<div class=${`nbagent-cell ${o[T]?"nbagent-number":""}`} role="cell">${m[T]??""}</div>`)}
  </div>`}var Kt={status:e=>e.status,title:e=>e.title.toLowerCase(),model:e=>e.model.toLowerCase(),tokens:e=>e.tokens,cost:e=>e.cost,time:(e,t)=>e.began===null?null:(e.ended??t)-e.began,created:e=>e.created},qt=e=>e in Kt;function Yt(e){if(e.hay===null){let{title:t,agent:n,model:o,session:s,id:a,prompt:r,says:l,error:i,batch:u}=e.row;e.hay=[t,n,o,s??"",a,r,l,i,u??""].join(`
`).toLowerCase()}return e.hay}var zt=(e,t=0)=>t||e==="paused"?0:e==="running"?1:e==="pending"?2:3;function ho(e,t,n){if(!t&&e.line&&!e.kids){let{status:a,created_ms:r}=e.line.row;return{node:e,value:null,first:zt(a),created:r??0}}let o=O(e),s=t?Kt[t.by](o,n):null;return{node:e,value:s,first:zt(o.status,o.waiting),created:o.created??0}}function $o(e,t,n){let o=e.map(a=>ho(a,t,n)),s=(a,r)=>r.created-a.created||(a.node.key<r.node.key?1:-1);return o.sort((a,r)=>t?a.value===null||r.value===null?+(a.value===null)-+(r.value===null)||s(a,r):a.value===r.value?s(a,r):(a.value<r.value?-1:1)*(t.down?-1:1):a.first-r.first||s(a,r)),o.map(a=>a.node)}var Xt={self:!0,kids:new Map};function Jt(e,t){let n=e.line?t.test(e.line):!1;if(!e.kids)return n?Xt:null;let o=Qt(e.kids,t);return n||o.size?{self:n,kids:o}:null}function Qt(e,t){let n=new Map;for(let o of e){let s=Jt(o,t);s&&n.set(o,s)}return n}function Zt(e,t,n,o,s){let a=[],r=(l,i,u)=>{for(let c of $o([...l.keys()],u,s)){let d=l.get(c);if(a.push({node:c,depth:i}),c.unfolded=o.get(c.key)??(t.narrow&&!d.self&&d.kids.size>0),!c.unfolded||!c.kids)continue;let g=d.self&&c.line?new Map(c.kids.map($=>[$,Jt($,t)??Xt])):d.kids;r(g,i+1,u??(c.line?{by:"created",down:!1}:null))}};return r(Qt(e,t),0,n),a}var De=[["all","All",()=>!0],["waiting","Waiting",e=>e==="paused"],["running","Running",e=>!A(e)],["completed","Completed",e=>e==="completed"],["failed","Failed",X],["cancelled","Cancelled",e=>e==="cancelled"]],He=["agent","model","session"],Ye={text:"",group:"all",agent:"",model:"",session:""};function Xe(e){let t=e.text.toLowerCase().split(/\s+/).filter(Boolean),n=De.find(([o])=>o===e.group)?.[2]??(()=>!0);return{narrow:!!(t.length||e.agent||e.model||e.session||e.group!=="all"),test(o){let{row:s}=o;if(!n(s.status))return!1;for(let a of He)if(e[a]&&s[a]!==e[a])return!1;return!t.length||t.every(a=>Yt(o).includes(a))}}}function en(e,t){let n={runs:0,running:0,tokens:null,cost:null,priced:0,called:0,counts:{all:0,waiting:0,running:0,completed:0,failed:0,cancelled:0}};for(let o of e){let{row:s}=o;for(let[a,,r]of De)r(s.status)&&(n.counts[a]+=1);t.test(o)&&(n.runs+=1,A(s.status)||(n.running+=1),s.tokens!==null&&(n.tokens=(n.tokens??0)+s.tokens),s.priced!==null&&(n.called+=1),s.cost!==null&&(n.cost=(n.cost??0)+s.cost,n.priced+=1))}return n}var vo=200;function tn(e,t,n){let o=new Map;for(let{row:r}of e){let l=r[t];l&&o.set(l,(o.get(l)??0)+1)}let a=[...o].filter(([,r])=>t!=="session"||r>1).slice(0,vo).map(([r])=>r).sort();return n&&!a.includes(n)&&a.push(n),a}var yo=["This panel’s kernel is gone; what it showed last is below.","Run the cell again for a live one."];function nn(e,t,n){let o=document.createElement("div");o.className="nbagent-bars";let s=null,a=!1,r={agent:[],model:[],session:[]};return{el:o,sum(i){s=en(e.rows.values(),i),a=i.narrow},choose(){r={agent:[],model:[],session:[]};for(let i of He)r[i]=tn(e.rows.values(),i,t[i])},draw:()=>{let i=s?.counts.running??0;k(p`${xo(e,t,s,a,i,n)}${Ao(e)}${_o(e,t,s,r,n)}`,o),o.parentElement?.toggleAttribute("data-gone",e.gone)}}}function wo(e,t,n){let o=t.group==="waiting";if(!e&&!o)return f;let s=()=>{t.group=o?"all":"waiting",n.refilter()},a=e===1?"1 waits for you":e?`${x(e)} wait for you`:"none waits";return p`<button type="button" class="nbagent-button nbagent-waits" aria-pressed=${o} @click=${s}>${a}</button>`}function xo(e,t,n,o,s,a){let r=e.asked.has(""),l=s>0&&!e.gone&&e.only===null,i=r?"cancelling…":s>1?`Cancel all ${x(s)}`:"Cancel it";return p`<div class="nbagent-panel-head">
    ${wo(n?.counts.waiting??0,t,a)}
    <p class="nbagent-totals" role="status">${n?To(e,n,o):"nbagent"}</p>
    ${e.gone?f:_e()}
    <button
      type="button"
      class="nbagent-button nbagent-cancel-all"
      ?hidden=${!l}
      aria-disabled=${r}
      @click=${()=>a.command("cancel_all","")}
    >${i}</button>
  </div>`}function To(e,t,n){if(!e.rows.size)return"nbagent";let o=n?e.rows.size:Math.max(e.total,e.rows.size);return[t.running?`${x(t.running)} running`:"",t.runs<o?`${x(t.runs)} of ${x(o)} runs`:j(o,"run"),t.tokens===null?"":`${we(t.tokens)} tokens`,t.cost===null?"":xe(t.cost),t.priced<t.called?`cost known for ${x(t.priced)} of ${x(t.called)}`:""].filter(Boolean).join(" · ")}function Ao(e){let t=[...e.gone?[yo]:[],...e.trouble.length&&!e.gone?[e.trouble]:[],...e.said];return p`<div class="nbagent-trouble" role="alert" ?hidden=${!t.length}>
    ${t.map(([n,o])=>p`<div class="nbagent-one-trouble"><p class="nbagent-what">${n}</p><p class="nbagent-todo">${o}</p></div>`)}
  </div>`}function _o(e,t,n,o,s){let a=(r,l)=>{t[r]=l,s.refilter()};return p`<div class="nbagent-filters" role="search" ?hidden=${!e.rows.size||e.only!==null}>
    <div class="nbagent-groups" role="group" aria-label="Status">
      ${De.map(([r,l])=>p`<button
            type="button"
            class="nbagent-group"
            aria-pressed=${t.group===r}
            @click=${()=>a("group",r)}
          >${l}<span class="nbagent-count"> ${x(n?.counts[r]??0)}</span></button>`)}
    </div>
    <input
      type="search"
      class="nbagent-search"
      placeholder="Search runs"
      spellcheck="false"
      aria-label="Search runs by text"
      .value=${t.text}
      @input=${r=>a("text",r.target.value)}
    />
    ${He.map(r=>p`<select
          class="nbagent-select"
          aria-label=${`Filter by ${r}`}
          ?hidden=${o[r].length<2&&!t[r]}
          @change=${l=>a(r,l.target.value)}
        >
          <option value="" ?selected=${!t[r]} .selected=${!t[r]}>Any ${r}</option>
          ${o[r].map(l=>p`<option value=${l} .selected=${l===t[r]}>${l}</option>`)}
          ${f}
        </select>`)}
  </div>`}var on=[["status","Status"],["title","Run"],["model","Model"],["says","Answer"],["tokens","Tokens"],["cost","Cost"],["time","Time"],["created","Launched"],["action",""]];function sn({node:e,depth:t},n,o,s){let{seen:a,state:r,now:l}=s,i=O(e),u=e.line?.row??null,c=K(e,r),d=A(i.status)?"?":"",m=e.kids?u?`+${e.kids.length}`:`× ${x(i.of)}`:"",g=i.cost===null?d:`${i.priced?"":"≥ "}${xe(i.cost)}`;return p`<div
    class="nbagent-line"
    role="row"
    id=${n}
    style=${`transform: translateY(${o*I}px); --nb-depth: ${t}`}
    data-key=${e.key}
    data-status=${i.status}
    data-offer=${`${e.key} ${c.command}`}
    aria-rowindex=${o+2}
    aria-level=${t+1}
    aria-selected=${a.open.includes(e.key)}
    aria-expanded=${e.kids?e.unfolded:f}
    ?data-active=${a.active===e.key}
    ?data-batch=${!u}
    ?data-asks=${!!u?.asks}
    ?data-waits=${i.waiting>0}
  >
    <div class="nbagent-cell nbagent-c-status" role="gridcell"
      ><span class="nbagent-chip">${u?.reason?`${i.status}: ${u.reason}`:i.status}</span></div
    >
    <div class="nbagent-cell nbagent-c-title" role="gridcell"
      ><span class="nbagent-twist" data-part="twist" aria-hidden="true" ?hidden=${!e.kids}></span
      ><span class="nbagent-title">${i.title}</span><span class="nbagent-kids">${m}</span></div
    >
    <div class="nbagent-cell nbagent-c-model" role="gridcell">${i.model}</div>
    ${u?.asks?ko(u,u.asks,r):u?So(u,i.waiting):Co(i,l)}
    <div class="nbagent-cell nbagent-c-tokens" role="gridcell">${i.tokens===null?d:x(i.tokens)}</div>
    <div class="nbagent-cell nbagent-c-cost" role="gridcell">${g}</div>
    <div class="nbagent-cell nbagent-c-time" role="gridcell">${Ro(i,l)}</div>
    <div class="nbagent-cell nbagent-c-created" role="gridcell">${i.created===null?"":ht(i.created,l)}</div>
    <div class="nbagent-cell nbagent-c-action" role="gridcell"
      ><button
        type="button"
        class="nbagent-button nbagent-act"
        tabindex="-1"
        data-part="action"
        data-command=${c.command??""}
        aria-disabled=${!c.command}
        aria-label=${`${c.word} ${i.title}`}
        ?hidden=${!c.word}
      >${c.word}</button></div
    >
  </div>`}function ko(e,[t,n,o],s){let a=s.asked.has(e.id)||s.gone,r=(i,u)=>p`<button
      type="button"
      class=${`nbagent-button nbagent-act nbagent-${i}`}
      tabindex="-1"
      data-part=${i}
      aria-disabled=${a}
      aria-label=${`${u} ${n}`}
    >${u}</button>`,l=o===void 0?f:p`${r("approve","Approve")}${r("deny","Deny")}`;return p`<div class="nbagent-cell nbagent-c-says nbagent-asks" role="gridcell" ?data-one=${o!==void 0}
    ><code class="nbagent-asked-line" title=${n}>${n}</code>${l}<button
      type="button"
      class="nbagent-button nbagent-act nbagent-review"
      tabindex="-1"
      data-part="row"
      aria-label=${`Review ${e.title}`}
    >${t>1?`Review ${t}`:"Review"}</button></div
  >`}function So(e,t){let n=t?`${j(t,"member")} ${t===1?"waits":"wait"} for you`:"",o=e.error||n||e.says;return p`<div
    class="nbagent-cell nbagent-c-says"
    role="gridcell"
    ?data-prompt=${!o}
    ?data-error=${!!e.error}
  >${o||e.prompt}</div>`}function Co(e,t){let n=Ht(e,t),o=e.of-e.open,s=[["completed",o-e.failed-e.cancelled],["failed",e.failed],["cancelled",e.cancelled]];return p`<div class="nbagent-cell nbagent-c-says" role="gridcell" title=${n.join(" · ")}
    ><div
      class="nbagent-progress"
      role="progressbar"
      aria-label=${`batch ${e.title}`}
      aria-valuemin="0"
      aria-valuemax=${e.of}
      aria-valuenow=${o}
      aria-valuetext=${n.join(", ")}
    >${s.map(([a,r])=>p`<div class=${`nbagent-progress-part nbagent-p-${a}`} style=${`width: ${100*r/e.of}%`}></div>`)}</div>${n.join(" · ")}</div
  >`}function Ro(e,t){return e.began===null?"":e.ended!==null?bt(e.ended-e.began):G(A(e.status)?0:t-e.began)}var I=34,Ie=12,Mo=6,rn=6,Eo=300,Oo=0;function ln(e){let t=`nbagent-grid-${Oo+=1}-${Math.random().toString(36).slice(2,8)}`,n=No(),o=(c,d)=>{let m=document.createElement("div");return m.className=`nbagent-${c}`,d&&m.setAttribute("role",d),m},s=o("grid-head","rowgroup"),a=o("sizer","rowgroup"),r=o("empty",null);n.append(s,a,r),k(an(e.sort,null),s);let l=new Je(a),i=0,u=-1;return n.addEventListener("scroll",e.scroll,{passive:!0}),n.addEventListener("keydown",c=>{c.target===n&&e.key(c)}),a.addEventListener("click",c=>{let d=c.target,m=d.closest(".nbagent-line");if(!m)return;let g=d.closest("[data-part]")?.dataset.part??"row";g!=="row"&&g!=="twist"&&!l.meant(c,m)||g==="row"&&String(getSelection())||e.click(m.dataset.key??"",g)}),new ResizeObserver(e.scroll).observe(n),{el:n,showSort:c=>{k(an(e.sort,c),s)},showEmpty(c,d){r.hidden=!c,s.hidden=a.hidden=!!c,k(c?Do(c,d):f,r)},reveal(c){let d=s.offsetHeight,m=c*I;m<n.scrollTop?n.scrollTop=m:m+I+d>n.scrollTop+n.clientHeight&&(n.scrollTop=m+I+d-n.clientHeight)},paint(c,d){let{lines:m}=c,g=`${m.length*I}px`;a.style.height!==g&&(a.style.height=g);let $=Math.min(c.open.length?Mo:Ie,Math.max(1,m.length));$!==i&&n.style.setProperty("--nb-rows",String(i=$)),m.length!==u&&n.setAttribute("aria-rowcount",String((u=m.length)+1));let h=Math.max(0,Math.floor(n.scrollTop/I)-rn),y=Math.min(m.length,Math.ceil((n.scrollTop+n.clientHeight)/I)+rn),T=de(d),S=m.slice(h,y);k(S.map((_,C)=>sn(_,`${t}-${C}`,h+C,{seen:c,state:d,now:T})),a),l.look();let R=S.findIndex(_=>_.node.key===c.active);R>=0?n.setAttribute("aria-activedescendant",`${t}-${R}`):n.removeAttribute("aria-activedescendant")}}}function No(){let e=document.createElement("div");return e.className="nbagent-grid",e.tabIndex=0,e.setAttribute("role","treegrid"),e.setAttribute("aria-label","Runs"),e.setAttribute("aria-description","Enter opens a run, Right and Left unfold and fold, Delete cancels."),e}var Je=class{constructor(t){this.home=t;t.addEventListener("pointerdown",n=>{let o=n.target.closest(".nbagent-line");this.#n=o&&!o.hasAttribute("data-moved")?o.dataset.offer??null:null})}home;#e=new WeakMap;#t=new WeakMap;#n=null;meant(t,n){return!t.detail||this.#n===n.dataset.offer}look(){for(let t of this.home.children){let n=t.dataset.offer??"",o=this.#e.get(t);this.#e.set(t,n),!(o===void 0||o===n)&&(t.setAttribute("data-moved",""),clearTimeout(this.#t.get(t)),this.#t.set(t,setTimeout(()=>t.removeAttribute("data-moved"),Eo)))}}};function an(e,t){return p`<div class="nbagent-line" role="row">
    ${on.map(([n,o])=>{let s=t?.by===n?t.down?"descending":"ascending":f;return p`<div class=${`nbagent-cell nbagent-c-${n}`} role="columnheader" aria-sort=${s}>
        ${qt(n)?p`<button type="button" class="nbagent-sort" @click=${()=>e(n)}>${o}</button>`:o||p`<span class="nbagent-unseen">Action</span>`}
      </div>`})}
  </div>`}function Do([e,t],n){let o=t==="clear"?p`<button type="button" class="nbagent-button" @click=${n}>Clear filters</button>`:t?p`<p class="nbagent-todo">Launch one from a cell:</p>
            <pre class="nbagent-sample">${t}</pre>`:f;return p`<p>${e}</p>
    ${o}`}var Ho=new Set(["tokens","cost","time","created"]),Io={tokens:["tokens"],cost:["cost"],time:["began_ms","ended_ms"]},Lo=`%%agent_bg
What is the capital of France?`;function cn(e,t){let{state:n,command:o}=t,s={...Ye},a=new Map,r={sort:null,lines:[],active:null,open:[]},l=new Map,i=new Map,u=!1,c=null,d=0,m=document.createElement("section");m.className="nbagent-panel",m.setAttribute("aria-label","nbagent runs"),m.dataset.lmSuppressShortcuts="true";let g=nn(n,s,{refilter:_,command:o}),$=ln({sort:C,key:gn,click:Qe,scroll:ne}),h=document.createElement("div");h.className="nbagent-below";let y=Gt(n,{openRun:ue,command:o});m.append(g.el,$.el,y.el,h),e.classList.add("nbagent"),e.append(m);function T(){c??=Oe(n.rows,n.batches);let b=Xe(s);r.lines=Zt(c,b,r.sort,a,de(n)),r.lines.some(v=>v.node.key===r.active)||(r.active=r.lines[0]?.node.key??null),g.sum(b),$.showEmpty(S(),R)}function S(){return r.lines.length?null:!n.loaded&&!n.trouble.length?["Reading the record…",""]:n.rows.size?["No run matches.","clear"]:n.trouble.length?["The record cannot be read now.",""]:n.only?["No row is asked yet.",""]:["No runs yet.",Lo]}function R(){Object.assign(s,Ye),_()}function _(){$.el.scrollTop=0,T(),g.draw(),ne()}function C(b){let v=Ho.has(b);r.sort?.by!==b?r.sort={by:b,down:v}:r.sort=r.sort.down===v?{by:b,down:!v}:null,$.showSort(r.sort),T(),ne()}function M(b){let v=Math.max(0,Math.min(r.lines.length-1,b)),w=r.lines[v];w&&(r.active=w.node.key,$.reveal(v),te())}function Le(b,v=!b.unfolded){b.kids&&(a.set(b.key,v),T(),te())}function ue(b){let[v]=r.open;r.open.includes(b)?r.open=r.open.filter(w=>w!==b):r.open=u&&v!==void 0?[v,b]:[b],u=!1;for(let[w,L]of l)r.open.includes(w)||(L.end(),l.delete(w));for(let w of r.open)l.has(w)||l.set(w,Ft(h,w,pn(w)));h.toggleAttribute("data-two",r.open.length>1),pe(),y.draw(r.open),te()}function pn(b){let v=t.openRun(b);return i.set(b,v),{state:n,command:o,run:v,redraw:pe,close(){ue(b),$.el.focus()},compare(){u=!u,pe()},comparing:()=>u,span:()=>Math.max(1,...r.open.map(w=>i.get(w)?.details?.steps.span_ms??0))}}function pe(){l.forEach(b=>b.update())}function Qe(b,v){let w=r.lines.find(L=>L.node.key===b)?.node;w&&(r.active=b,v==="action"?Ze(w):v==="approve"||v==="deny"?mn(w,v):v==="twist"||!w.line?Le(w):ue(b),te())}function mn(b,v){let[,,w,L]=b.line?.row.asks??[];w===void 0||L===void 0||o(v,b.key,{step:w,tool_call_id:L})}function Ze(b){let{command:v}=K(b,n);v&&o(v,qe(b))}function gn(b){let v=r.lines.findIndex(w=>w.node.key===r.active);fn(b.key,v,r.lines[v]?.node)&&b.preventDefault()}function fn(b,v,w){let et={ArrowDown:v+1,ArrowUp:v-1,PageDown:v+Ie-1,PageUp:v+1-Ie,Home:0,End:r.lines.length-1}[b];if(et!==void 0)M(et);else if(b==="ArrowRight"&&w?.kids)Le(w,!0);else if(b==="ArrowLeft"&&w?.unfolded)Le(w,!1);else if((b==="Enter"||b===" ")&&w)Qe(w.key,"row");else if(b==="Delete"&&w&&Ne(K(w,n).command))Ze(w);else if(b==="Escape"&&r.open.length)ue(r.open.at(-1));else return!1;return!0}function te(){d=0,$.paint(r,n)}function ne(){d||=requestAnimationFrame(te)}let bn=b=>s.text&&(b.has("says")||b.has("error"))?!0:!!(r.sort&&Io[r.sort.by]?.some(v=>b.has(v)));return{update(b){if(b==="time"){r.lines.some(({node:v})=>!A(O(v).status))&&ne();return}b==="all"?c=null:b!=="cells"&&Ke(c??[]),b==="all"||b!=="cells"&&bn(b)?T():b!=="cells"&&g.sum(Xe(s)),b==="all"&&g.choose(),b==="all"&&y.draw(r.open),b==="cells"&&y.draw(r.open),g.draw(),pe(),ne()},end(){cancelAnimationFrame(d),l.forEach(b=>b.end())}}}var Po=12e3,Bo=3e4,de=e=>e.stoppedMs??Date.now()+e.skewMs;function dn(e){let t={rows:new Map,batches:new Map,total:0,loaded:!1,trouble:[],said:[],asked:new Map,only:null,items:new Map,fields:[],counts:[],ended:0,gone:!1,skewMs:0,stoppedMs:null},n=new Set,o=new Map,s=new z(()=>{D(e,"resend_table","")}),a=Fo(t),r=h=>{h==="all"&&a(),n.forEach(y=>y.update(h))},l=[],i=h=>{if(!h?.columns)return;l=h.columns;let y=JSON.parse(h.lines).map(M=>un(l,M));t.rows=new Map(y.map(M=>[M.row.id,M])),t.batches=new Map(Object.entries(h.batches));let{total:T,loaded:S,trouble:R,only:_}=h;Object.assign(t,{total:T,loaded:S,trouble:R,only:_,gone:!1,stoppedMs:null}),t.skewMs=h.now_ms-Date.now();let{listed:C}=h;C&&(t.items=new Map(JSON.parse(C.items).map(M=>[M[0],M])),Object.assign(t,{fields:C.fields,counts:C.counts,ended:C.ended})),s.restart(h.seq),r("all")},u=h=>{if("run"in h)o.get(h.run)?.hear(h);else if("said"in h)c(h.said);else if(s.accept(h?.seq)){let y=Vo(t,l,h);y===null?s.resync():r(y)}},c=h=>{t.asked.delete(h.run_id);let{error:y}=h;y&&(t.said=[...t.said.slice(-2),y],setTimeout(()=>{t.said=t.said.filter(T=>T!==y),r("cells")},Po)),r("cells")},d=async(h,y,T={})=>{if(t.asked.has(y)||t.gone)return;let S={name:h,how:"heard"};t.asked.set(y,S),r("cells");let R=await D(e,h,y,T),_=(C,M)=>{setTimeout(()=>{t.asked.get(y)===S&&(C(),r("cells"))},M)};R==="none"&&m(),R==="comm"&&_(()=>S.how="waiting",3e3),_(()=>t.asked.delete(y),Bo),r("cells")},m=()=>{t.gone||(t.stoppedMs=de(t),t.gone=!0,r("all"))};i(e.get("table")),e.on("change:table",()=>i(e.get("table"))),e.on("msg:custom",u),ft(e,m);let g=setInterval(()=>document.hidden||t.gone||r("time"),1e3),$=h=>{let y=o.get(h)??Et(e);return o.set(h,y),t.gone||D(e,"open",h),y};return{end:()=>clearInterval(g),render(h){let y=cn(h,{state:t,openRun:$,command:(S,R,_)=>{d(S,R,_)}}),T=ye(e.get("key"));return n.add(y),y.update("all"),()=>{n.delete(y),y.end(),T()}}}}function Fo(e){let t=new Map;return()=>{let n=new Map;for(let{row:o}of e.rows.values()){let s=ie(t.get(o.id),o.status);(s==="waits"||s&&!o.parent&&!o.batch)&&le(o.id,s,o),A(o.status)||n.set(o.id,o.status)}for(let[o,{finished:s}]of e.batches){let a=s?"completed":"running",r=ie(t.get(o),a);r&&le(o,r,{title:`batch ${Wo(e,o)}`,status:a}),s||n.set(o,a)}t=n}}function Wo(e,t){for(let{row:n}of e.rows.values())if(n.batch===t)return n.title;return""}function un(e,t){let n={};for(let o=0;o<e.length;o+=1)n[e[o]]=t[o]??null;return{row:n,hay:null}}function Vo(e,t,n){e.skewMs=n.now_ms-Date.now();let{total:o,loaded:s,trouble:a}=n;o!==void 0&&(e.total=o),s!==void 0&&(e.loaded=s),a!==void 0&&(e.trouble=a);let l=Object.entries(n.batches??{}).some(([u,c])=>c.finished&&!e.batches.get(u)?.finished)||!!n.new||a!==void 0||s!==void 0;for(let[u,c]of Object.entries(n.batches??{})){let d=e.batches.get(u);d?Object.assign(d,c):(e.batches.set(u,c),l=!0),c.finished&&e.asked.delete(u)}for(let u of n.new??[])e.rows.set(String(u[0]),un(t,u));for(let u of n.gone??[])l=e.rows.delete(u)||l;for(let u of n.items??[])e.items.set(u[0],u);n.items&&(l=!0);for(let u of["fields","counts","ended"])n[u]!==void 0&&Object.assign(e,{[u]:n[u]});let i=new Set;for(let u of n.cells??[])if(!Uo(e,t,u,i))return null;return l||i.has("status")||i.has("created_ms")?"all":i}function Uo(e,t,n,o){let[s,...a]=n,r=e.rows.get(s);if(!r)return!1;r.hay=null;let l=r.row;for(let i=0;i<a.length;i+=2){let u=t[Number(a[i])];u!==void 0&&(l[u]=a[i+1]??null,o.add(u),(u==="status"||u==="asks")&&e.asked.delete(s))}return!0}var jo=()=>{let e=Ee(),t=null;return{initialize({model:n}){let o=n;if(n.get("shows")!=="table"){e.initialize(o);return}return t=dn(o),t.end},render({model:n,el:o}){return t?t.render(o):e.render(n,o)}}},Jr=jo;export{Jr as default};
/*! Bundled license information:

lit-html/lit-html.js:
lit-html/directive.js:
lit-html/directives/repeat.js:
  (**
   * @license
   * Copyright 2017 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directive-helpers.js:
  (**
   * @license
   * Copyright 2020 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)

lit-html/directives/keyed.js:
  (**
   * @license
   * Copyright 2021 Google LLC
   * SPDX-License-Identifier: BSD-3-Clause
   *)
*/
